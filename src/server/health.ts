/** GET /healthz: the process answers. GET /readyz: whether the log takes and publishes entries, and how far it is. */
import * as z from 'zod';
import { answerJson, jsonType } from '../http/exchange.ts';
import { operation, type Operation } from './operation.ts';
import type { Service } from './service.ts';
import { sizeSchema } from './wire.ts';

export const healthSchema = z.strictObject({ status: z.literal('ok') });

export const readinessSchema = z.strictObject({
  ready: z.boolean().describe('Whether entries are taken and published.'),
  accepting: z
    .boolean()
    .describe('Whether entries are taken: the log runs, and its store can write.'),
  publishing: z
    .boolean()
    .describe('Whether enough witnesses cosign for checkpoints to be published.'),
  reason: z.string().optional().describe('Why the log is not ready; its own log says more.'),
  silent: z
    .array(z.string())
    .describe('Names, in the policy, of the witnesses that did not cosign when asked last.'),
  size: sizeSchema.describe('Durable entries.'),
  published: sizeSchema.describe('Entries that the newest published checkpoint covers.'),
  publishedAgeMs: z
    .int()
    .nonnegative()
    .describe(
      'Since that checkpoint was published, or since the start. It grows while the log is idle.',
    ),
  pending: z.int().nonnegative().describe('Entries that wait for their index.'),
});

const uncached = ['Cache-Control', 'no-store'];

export function healthOperations(service: Service): Operation[] {
  return [
    operation({
      method: 'get',
      path: '/healthz',
      summary: 'The process answers.',
      answers: { 200: { description: 'It does.', content: { [jsonType]: healthSchema } } },
      handle: (ctx) => answerJson(ctx, 200, { status: 'ok' }, uncached),
    }),
    operation({
      method: 'get',
      path: '/readyz',
      summary: 'Whether the log takes and publishes entries.',
      answers: {
        200: { description: 'It does.', content: { [jsonType]: readinessSchema } },
        503: { description: 'It does not.', content: { [jsonType]: readinessSchema } },
      },
      handle(ctx) {
        const { reason, silent, size, published, pending, ...status } = service.log.status();
        const accepting = status.accepting && !service.stopping;
        const ready = accepting && status.publishing;
        const state = {
          ready,
          accepting,
          publishing: status.publishing,
          // Titles only: messages may name files.
          ...(ready ? {} : { reason: reason?.title ?? 'The server stops' }),
          silent: [...silent],
          size,
          published,
          publishedAgeMs: service.clock.ageMs,
          pending,
        } satisfies z.input<typeof readinessSchema>;
        answerJson(ctx, ready ? 200 : 503, state, uncached);
      },
    }),
  ];
}
