/** The form of a monitor's config file; docs/monitor.schema.json is made from it for editors. */
import * as z from 'zod';
import { durationPattern } from '../verify/duration.ts';
import { severities } from './alert.ts';

const maxListed = 256;
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const text = z.string().min(1).max(1024);
// One of ML-DSA-44 takes 1,752 characters of base64 behind its name.
const vkey = z.string().min(1).max(4096);
const url = z.string().regex(/^https?:\/\/\S+$/, 'want an http:// or https:// URL');
const duration = z.string().regex(durationPattern, 'want a duration such as 30m, 25h or 7d');
const seconds = z.int().min(1).max(86_400);
const keyNames = z.array(name).min(1).max(maxListed).describe('Names of `keys`.');
const scopes = z
  .array(text)
  .min(1)
  .max(maxListed)
  .describe(
    'pkg:generic/acme/scanner, pkg:generic/acme/* or, for a channel, pkg:channel/acme/stable.',
  );
const someProducts = scopes
  .optional()
  .describe('Only what is about these products; all when left out.');
const threshold = z.strictObject({
  threshold: z.int().min(1).describe('How many of the keys; each counts once.'),
  keys: keyNames,
});

const common = {
  name: name.optional().describe('Named in alerts and kept state; the rule itself when left out.'),
  severity: z.enum(severities).optional(),
  logs: z.array(text).min(1).optional().describe('Origins of the logs; all when left out.'),
};

const rule = z.discriminatedUnion('rule', [
  z
    .strictObject({
      rule: z.literal('unexpected-release'),
      ...common,
      purls: scopes.describe('Your products and channels.'),
      keys: keyNames.describe('Your keys: only they may speak for the products.'),
      released: text
        .optional()
        .describe('File with the SHA-256 of all that you released, as sha256sum writes it.'),
    })
    .describe('Your products appear under other keys, or your keys sign what you did not release.'),
  z
    .strictObject({
      rule: z.literal('new-issuer'),
      ...common,
      purls: someProducts,
      known: keyNames.optional().describe('Issuers that you know already.'),
    })
    .describe('The registrar admitted, changed or revoked an issuer.'),
  z
    .strictObject({
      rule: z.literal('new-builder'),
      ...common,
      purls: someProducts,
      known: z
        .array(text)
        .max(maxListed)
        .default([])
        .describe('Builder ids, sites and jurisdictions that you know already.'),
    })
    .describe('A builder, site or jurisdiction that was never seen before.'),
  z
    .strictObject({ rule: z.literal('different-result'), ...common, purls: someProducts })
    .describe('Two provenance statements of one source name different digests for one file.'),
  z
    .strictObject({
      rule: z.literal('unconfirmed'),
      ...common,
      purls: someProducts,
      after: duration,
      rebuilds: threshold.optional(),
      approvals: threshold.optional(),
    })
    .describe('A release that was not rebuilt, or not approved, in time.'),
  z
    .strictObject({ rule: z.literal('rejection'), ...common, purls: someProducts })
    .describe('A supervisor rejected a release, by a statement or in its channel.'),
  z
    .strictObject({ rule: z.literal('withdrawal'), ...common, purls: someProducts })
    .describe('A release was withdrawn, by a statement or in a channel.'),
  z
    .strictObject({
      rule: z.literal('channel'),
      ...common,
      channels: z.array(text).min(1).max(maxListed),
      maxAge: duration.optional().describe('Greatest age of the newest statement.'),
    })
    .describe('A channel went back, expired or grew too old.'),
  z
    .strictObject({ rule: z.literal('stale-checkpoint'), ...common, after: duration })
    .describe('No larger and no newly cosigned checkpoint for so long.'),
  z
    .strictObject({
      rule: z.literal('missing-cosigner'),
      ...common,
      witnesses: z.array(text).min(1).max(maxListed).describe("Names in the log's policy."),
      after: duration,
    })
    .describe('A witness did not cosign for so long, although the log has checkpoints.'),
]);

const log = z.strictObject({
  vkeys: z.array(vkey).min(1).max(8).optional().describe('Keys of the log, of one origin.'),
  policy: z
    .array(z.string())
    .min(1)
    .max(512)
    .optional()
    .describe('Instead of vkeys: the lines of a C2SP tlog-policy with one log and its witnesses.'),
  url,
  mirrors: z.array(url).max(16).default([]).describe('Asked when the log is away.'),
  cosigned: z
    .boolean()
    .default(false)
    .describe('Follow /cosigned-checkpoint, which bears late cosignatures too.'),
  quietBelow: z
    .int()
    .min(0)
    .default(0)
    .describe('Entries below this index are checked and remembered, but no rule alerts on them.'),
});

export const monitorConfigSchema = z
  .strictObject({
    $schema: z.string().optional(),
    data: text.describe('Directory of the state; relative to the config file.'),
    listen: z
      .strictObject({ host: text.default('127.0.0.1'), port: z.int().min(0).max(65_535) })
      .optional()
      .describe('Where it serves metrics, feed, checkpoints and gossip.'),
    logs: z.array(log).min(1).max(maxListed),
    keys: z
      .record(name, z.string().describe('DER SubjectPublicKeyInfo, base64.'))
      .default({})
      .describe('Every key that the rules speak of.'),
    rules: z.array(rule).max(maxListed).default([]),
    alerts: z
      .strictObject({
        webhooks: z
          .array(
            z.strictObject({
              url,
              secretFile: text.describe('File with the secret of the signature, mode 600.'),
            }),
          )
          .max(16)
          .default([]),
      })
      .default({ webhooks: [] }),
    gossip: z
      .strictObject({
        peers: z
          .array(z.strictObject({ name, url }))
          .max(maxListed)
          .default([])
          .describe('Other monitors, whose heads and evidence are read.'),
        witnesses: z
          .array(z.strictObject({ vkey, url }))
          .max(maxListed)
          .default([])
          .describe('Witnesses, whose monitoring prefixes are read.'),
        intervalSeconds: seconds.default(60),
        acceptReports: z.boolean().default(false).describe('Take checkpoints from clients.'),
        accuseAfter: duration
          .default('1h')
          .describe(
            'How long a head that cannot be judged may stay so, before it is an accusation.',
          ),
      })
      .optional(),
    pollSeconds: seconds.default(10),
    cosign: z.boolean().default(false).describe('Cosign the heads of audited logs.'),
  })
  .describe('Daybook monitor config');

export type MonitorConfigJson = z.output<typeof monitorConfigSchema>;
export type RuleJson = z.output<typeof rule>;
