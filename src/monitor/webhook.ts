/**
 * Alerts as signed HTTP requests. The receiver computes the HMAC anew over the time, a dot and the
 * body's bytes, refuses old times, and drops a key that it has seen:
 *
 *     POST /hook
 *     Content-Type: application/json
 *     Idempotency-Key: 3f0c…
 *     X-Daybook-Signature: t=1764000000,v1=<hex HMAC-SHA-256 of "1764000000.<body>">
 *
 *     {"type":"urn:daybook:alert:v1","id":"3f0c…","rule":"withdrawal","severity":"notice",…}
 */
import { createHmac } from 'node:crypto';
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import { retryAfter } from '../http/outbound.ts';
import { readSecretFile } from '../keys/secret-file.ts';
import type { Alert } from './alert.ts';
import type { WebhookConfig } from './config.ts';
import { Undelivered, type Target } from './delivery.ts';
import { stateKey } from './rules/scope.ts';

export interface WebhookOptions {
  /** For one try; 10,000 when not given. */
  readonly timeoutMs?: number;
}

const LEAST_SECRET = 16;

/**
 * Reads the secret: the file's text without the white space around it. Throws `file-unreadable`, and
 * `bad-key` for a secret that others may read or that is too short.
 */
export async function openWebhook(
  { url, secretFile }: WebhookConfig,
  { timeoutMs = 10_000 }: WebhookOptions = {},
): Promise<Target> {
  const secret = (await readSecretFile(secretFile)).trim();
  if (secret.length < LEAST_SECRET) {
    throw new DaybookError(
      'bad-key',
      `the secret in ${secretFile} has ${secret.length} characters, want at least ${LEAST_SECRET}: make one with \`openssl rand -hex 32\``,
    );
  }
  return {
    // The URL may be a secret itself.
    name: `webhook-${new URL(url).hostname.replace(/[^\w.-]/g, '_')}-${stateKey(url).slice(0, 8)}`,
    deliver: async (alert, signal) => {
      const time = Math.floor(Date.now() / 1000);
      await post(url, alert.id, bodyOf(alert), secret, time, [
        signal,
        AbortSignal.timeout(timeoutMs),
      ]);
    },
  };
}

/** Value of `X-Daybook-Signature`; `time` in seconds since 1970. */
function webhookSignature(secret: string, time: number, body: string): string {
  const mac = createHmac('sha256', secret).update(`${time}.`).update(body).digest();
  return `t=${time},v1=${encodeHex(mac)}`;
}

function bodyOf(alert: Alert): string {
  return JSON.stringify({ type: 'urn:daybook:alert:v1', ...alert });
}

async function post(
  url: string,
  id: string,
  body: string,
  secret: string,
  time: number,
  signals: AbortSignal[],
): Promise<void> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      // To follow one would show the alert, signed, to somebody else.
      redirect: 'manual',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': id,
        'x-daybook-signature': webhookSignature(secret, time, body),
      },
      body,
      signal: AbortSignal.any(signals),
    });
  } catch (cause) {
    const { message, cause: reason } = cause as Error;
    throw new Undelivered(reason instanceof Error ? reason.message : message, { cause });
  }
  await response.body?.cancel();
  if (response.ok) return;
  const retryAfterMs = retryAfter(response.headers);
  throw new Undelivered(`it answered ${response.status}, want 2xx`, { retryAfterMs });
}
