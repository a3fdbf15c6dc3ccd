import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { admissionSchema } from '../../src/server/admission.ts';
import { healthSchema, readinessSchema } from '../../src/server/health.ts';
import { admission, newSigner } from '../log/scratch.ts';
import { problemIn, startServer } from './running-server.ts';

interface OpenApi {
  openapi: string;
  paths: Record<
    string,
    Record<string, { parameters: { name: string; in: string; required: boolean }[] }>
  >;
}

describe('what the server says about itself', () => {
  test('/admission: who may log what', async () => {
    const { log, url, directory } = await startServer({ log: { admission: 'issuers' } });
    const issuer = await newSigner();
    await log.submit(await admission(log, directory, issuer));
    await log.submit(await admission(log, directory, issuer, 'revoke'));
    const response = await fetch(`${url}/admission`);
    const answer = admissionSchema.decode((await response.json()) as never);
    expect(answer).toMatchObject({
      origin: log.origin,
      mode: 'issuers',
      sequence: 2,
      registrar: { threshold: 1, keys: [{}] },
      issuers: [{ name: 'acme', fingerprint: issuer.publicKey.fingerprint, revoked: true }],
    });
    expect(answer.issuers[0]!.spki).toEqual(issuer.publicKey.spki);
  });

  test('/healthz and /readyz, and readiness ends with the log', async () => {
    const { log, url } = await startServer();
    expect(healthSchema.parse(await (await fetch(`${url}/healthz`)).json())).toBeDefined();
    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(200);
    expect(readinessSchema.parse(await ready.json())).toMatchObject({
      ready: true,
      size: 1,
      published: 1,
      pending: 0,
    });
    await log.close();
    const closed = await fetch(`${url}/readyz`);
    expect(closed.status).toBe(503);
    expect(readinessSchema.parse(await closed.json()).ready).toBe(false);
    const refused = await fetch(`${url}/add`, { method: 'POST', body: 'late' });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect((await problemIn(refused)).code).toBe('log-stopping');
  });

  test('/openapi.json names every route, its parameters and its schemas', async () => {
    const { url } = await startServer();
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApi;
    expect(document.openapi).toBe('3.1.0');
    expect(Object.keys(document.paths).sort()).toEqual([
      '/',
      '/add',
      '/admission',
      '/channels/{name}',
      '/checkpoint',
      '/cosigned-checkpoint',
      '/entries',
      '/entries/batch',
      '/entries/{index}',
      '/healthz',
      '/openapi.json',
      '/proofs/consistency',
      '/proofs/entry/{index}',
      '/proofs/inclusion',
      '/readyz',
      '/releases/{sha256}',
      '/tile/entries/{index}',
      '/tile/{level}/{index}',
    ]);
    expect(document.paths['/entries']).toHaveProperty('get');
    expect(document.paths['/entries']).toHaveProperty('post');
    const { parameters } = document.paths['/proofs/consistency']!.get!;
    expect(parameters).toMatchObject([
      { name: 'from', in: 'query', required: true },
      { name: 'to', in: 'query', required: false },
    ]);
  });

  test('/ is a page without scripts on which everything is escaped', async () => {
    const origin = 'log.example/<script>alert(1)</script>&"\'';
    const { url, log } = await startServer({ log: { origin } });
    expect(log.origin).toBe(origin);
    const response = await fetch(url);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-/,
    );
    const page = await response.text();
    expect(page).not.toContain('<script');
    expect(page).toContain('log.example/&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#39;');
  });

  test('the docs show every route', async () => {
    const docs = await readFile(new URL('../../docs/http-api.md', import.meta.url), 'utf8');
    const { url } = await startServer();
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as OpenApi;
    for (const path of Object.keys(document.paths)) expect(docs, path).toContain(path);
  });
});
