/** The form of a release policy's JSON; docs/policy.schema.json is made from it for editors. */
import * as z from 'zod';
import { durationPattern } from './duration.ts';

const maxListed = 256;
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const text = z.string().min(1).max(1024);
const duration = z.string().regex(durationPattern).describe('Such as 30m, 25h or 7d.');
const digest = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .describe('SHA-256, lowercase hex.');
const keyNames = z.array(name).min(1).max(maxListed).describe('Names of `keys`.');
const places = z
  .strictObject({
    sites: z.array(text).min(1).max(maxListed).optional(),
    jurisdictions: z.array(text).min(1).max(maxListed).optional().describe('ISO 3166 codes.'),
  })
  .describe('Where it must have been done, as the provenance claims.');
const threshold = z.strictObject({
  threshold: z.int().min(1).describe('How many of the keys; each counts once.'),
  keys: keyNames,
});

const product = z.strictObject({
  purl: text.describe('The products it is for: pkg:generic/acme/scanner, or pkg:generic/acme/*.'),
  issuers: keyNames.describe('Whose release statements count.'),
  builders: z
    .strictObject({
      keys: keyNames,
      ids: z.array(text).min(1).max(maxListed).optional().describe("SLSA's builder.id."),
    })
    .optional()
    .describe('Provenance by one of them must name the file.'),
  source: z
    .strictObject({
      repository: text.optional().describe('git+https://host/repository, without a commit.'),
      commits: z
        .array(z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/))
        .min(1)
        .max(maxListed)
        .optional()
        .describe('The commits that were audited.'),
      commitments: z.array(digest).min(1).max(maxListed).optional(),
    })
    .optional()
    .describe('What the provenance must name as its source.'),
  rebuilds: threshold
    .extend({
      sourceChecked: z
        .boolean()
        .default(false)
        .describe('Rebuilders must say that they opened the source commitment.'),
    })
    .optional()
    .describe('Who must have rebuilt it from the same source, with the same result.'),
  approvals: threshold.optional().describe('Supervisors that must have approved the file.'),
  reviews: threshold.optional().describe('Reviewers of the whole source commitment.'),
  assembly: places.optional(),
  signing: places.optional(),
  channels: z
    .array(
      z.strictObject({
        channel: text,
        keys: keyNames.describe('Whose channel statements count.'),
        maxAge: duration.describe('Greatest age of the statement, counted from its `issued`.'),
        grace: duration
          .optional()
          .describe('Hard limit of the age, above maxAge: between both the verdict warns.'),
      }),
    )
    .max(16)
    .default([])
    .describe('Each must list the file as current, and none may list it as withdrawn.'),
  checkpointMaxAge: duration.optional().describe('Greatest age of the newest quorum.'),
  publicFor: duration.optional().describe('How long it must have been in the public log.'),
  downgrade: z.enum(['refuse', 'allow']).default('refuse'),
  override: z.boolean().default(false).describe('Whether `daybook gate --override` may be used.'),
});

export const releasePolicySchema = z
  .strictObject({
    $schema: z.string().optional(),
    version: z.int().min(1),
    trust: z.array(z.string()).min(1).max(512).describe('The lines of a C2SP tlog-policy.'),
    root: threshold.optional().describe('Who signs the next version of this policy.'),
    keys: z
      .record(
        name,
        z.strictObject({
          key: z.string().describe('DER SubjectPublicKeyInfo, base64.'),
          organisation: text.optional(),
          until: z
            .int()
            .min(0)
            .optional()
            .describe('What it signed counts below this index only: it was revoked there.'),
        }),
      )
      .describe('Every key that this policy speaks of.'),
    organisations: z
      .strictObject({
        log: text.optional(),
        registrar: text.optional(),
        witnesses: z.record(z.string(), text).default({}),
      })
      .default({ witnesses: {} })
      .describe('Who runs what; `daybook policy check` compares them.'),
    products: z.array(product).min(1).max(maxListed).describe('The first that fits counts.'),
    floors: z
      .strictObject({
        treeSize: z.int().min(0).default(0),
        channels: z.record(z.string(), z.int().min(1)).default({}),
      })
      .default({ treeSize: 0, channels: {} })
      .describe('Least tree size and channel sequences, for a first install.'),
  })
  .describe('Daybook release policy');

export type ReleasePolicyJson = z.output<typeof releasePolicySchema>;
