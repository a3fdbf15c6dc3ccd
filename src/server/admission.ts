/** GET /admission: who may log what, as of the last entry that was given an index. */
import * as z from 'zod';
import { answerValue, cborType, jsonType } from '../http/exchange.ts';
import { operation, type Operation } from './operation.ts';
import type { Service } from './service.ts';
import { bytesSchema } from './wire.ts';

const fingerprintSchema = z.string().describe('Lowercase hex SHA-256 of the SubjectPublicKeyInfo.');

export const admissionSchema = z.strictObject({
  origin: z.string(),
  mode: z.enum(['issuers', 'open']),
  sequence: z.int().nonnegative().describe('Of the last admission entry; genesis has 0.'),
  registrar: z.strictObject({
    threshold: z.int().describe('Signatures that an admission entry carries.'),
    keys: z.array(
      z.strictObject({
        fingerprint: fingerprintSchema,
        spki: bytesSchema.describe('DER SubjectPublicKeyInfo.'),
      }),
    ),
  }),
  issuers: z.array(
    z.strictObject({
      name: z.string(),
      fingerprint: fingerprintSchema,
      spki: bytesSchema.describe('DER SubjectPublicKeyInfo.'),
      roles: z.array(z.string()),
      purls: z.array(z.string()).describe('Scopes of the products that it may speak for.'),
      revoked: z.boolean(),
    }),
  ),
});

export function admissionOperations({ log }: Service): Operation[] {
  return [
    operation({
      method: 'get',
      path: '/admission',
      summary: 'Who may log what. Derived from the entries, which prove it.',
      answers: {
        200: {
          description: 'The state of admission.',
          content: { [jsonType]: admissionSchema, [cborType]: undefined },
        },
      },
      handle(ctx) {
        const { origin, mode, nextSequence, registrar, issuers } = log.admission;
        answerValue(ctx, 200, admissionSchema, {
          origin,
          mode,
          sequence: nextSequence - 1,
          registrar: {
            threshold: registrar.threshold,
            keys: registrar.keys.map(({ fingerprint, spki }) => ({ fingerprint, spki })),
          },
          issuers: [...issuers.values()].map(({ name, key, roles, scopes, revoked }) => ({
            name,
            fingerprint: key.fingerprint,
            spki: key.spki,
            roles: [...roles],
            purls: scopes.map(({ text }) => text),
            revoked,
          })),
        });
      },
    }),
  ];
}
