/**
 * An operation is one method on one path: the row from which the router, the checks of its
 * parameters and its part of /openapi.json are all made.
 */
import * as z from 'zod';
import { parseParameters, parseQuery } from './parameters.ts';
import type { Exchange } from '../http/exchange.ts';

export interface AnswerKind {
  readonly description: string;
  /** Media types, each with the schema of its JSON form, or nothing for bytes and text. */
  readonly content: Readonly<Record<string, z.ZodType | undefined>>;
}

export interface BodyKind {
  readonly description: string;
  readonly types: readonly string[];
}

export interface Operation {
  readonly method: 'get' | 'post';
  /** Path with `:name` for parameters, `*name` for one with slashes. */
  readonly path: string;
  readonly summary: string;
  readonly query: z.ZodObject;
  readonly params: z.ZodObject;
  readonly body: BodyKind | undefined;
  readonly answers: Readonly<Record<number, AnswerKind>>;
  run(ctx: Exchange, params: Readonly<Record<string, string>>): Promise<void>;
}

const nothing = z.strictObject({});

interface OperationSpec<Query extends z.ZodObject, Params extends z.ZodObject> {
  readonly method: 'get' | 'post';
  readonly path: string;
  readonly summary: string;
  readonly query?: Query;
  readonly params?: Params;
  readonly body?: BodyKind;
  readonly answers: Readonly<Record<number, AnswerKind>>;
  /** Answers through `ctx`; what it throws becomes problem details. */
  handle(
    ctx: Exchange,
    input: { readonly query: z.output<Query>; readonly params: z.output<Params> },
  ): Promise<void> | void;
}

export function operation<
  Query extends z.ZodObject = typeof nothing,
  Params extends z.ZodObject = typeof nothing,
>(spec: OperationSpec<Query, Params>): Operation {
  const query = spec.query ?? (nothing as unknown as Query);
  const params = spec.params ?? (nothing as unknown as Params);
  return {
    ...spec,
    query,
    params,
    body: spec.body,
    async run(ctx, given) {
      await spec.handle(ctx, {
        query: parseQuery(ctx.state.search, query),
        params: parseParameters(given, params),
      });
    },
  };
}
