/** GET /openapi.json (OpenAPI 3.1), made of the rows and schemas that also route and validate. */
import * as z from 'zod';
import { answerJson, jsonType } from '../http/exchange.ts';
import { operation, type AnswerKind, type Operation } from './operation.ts';
import { problemSchema, problemType } from '../http/problem.ts';

type Json = Readonly<Record<string, unknown>>;

function jsonSchema(schema: z.ZodType): Json {
  // The input is the JSON side: text for numbers in a query, base64 for bytes in an answer.
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: 'input' }) as Json;
  void $schema;
  return rest;
}

function parameters(where: 'query' | 'path', schema: z.ZodObject): Json[] {
  return Object.entries(schema.shape).map(([name, parameter]) => {
    const { description, ...rest } = jsonSchema(parameter as z.ZodType);
    const required = !z.safeParse(parameter as z.ZodType, undefined).success;
    return { name, in: where, required, ...(description ? { description } : {}), schema: rest };
  });
}

function answerObject({ description, content }: AnswerKind): Json {
  const types = Object.entries(content).map(([type, schema]) => [
    type,
    schema === undefined ? {} : { schema: jsonSchema(schema) },
  ]);
  return { description, content: Object.fromEntries(types) as Json };
}

function operationObject({ summary, query, params, body, answers }: Operation): Json {
  const types = (body?.types ?? []).map((type) => [type, {}]);
  const responses = Object.entries(answers).map(([status, kind]) => [status, answerObject(kind)]);
  return {
    summary,
    parameters: [...parameters('path', params), ...parameters('query', query)],
    ...(body && {
      requestBody: {
        description: body.description,
        required: true,
        content: Object.fromEntries(types) as Json,
      },
    }),
    responses: {
      ...(Object.fromEntries(responses) as Json),
      default: { $ref: '#/components/responses/problem' },
    },
  };
}

/** Tiles are no rows: their paths are more than a router's pattern can say. */
const tilePaths: Json = {
  '/checkpoint': { get: bytesOperation('The newest signed checkpoint.', 'text/plain') },
  '/cosigned-checkpoint': {
    get: bytesOperation(
      'The newest checkpoint that all witnesses were asked for: for monitors, which may demand more cosignatures.',
      'text/plain',
    ),
  },
  '/tile/{level}/{index}': {
    get: bytesOperation(
      'A tile of hashes: C2SP tlog-tiles; index as in x001/x234/067, with .p/{width} where partial.',
      'application/octet-stream',
      ['level', 'index'],
    ),
  },
  '/tile/entries/{index}': {
    get: bytesOperation('A bundle of entries, likewise.', 'application/octet-stream', ['index']),
  },
};

function bytesOperation(summary: string, type: string, names: readonly string[] = []): Json {
  return {
    summary,
    parameters: names.map((name) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    })),
    responses: {
      200: { description: 'As C2SP tlog-tiles says.', content: { [type]: {} } },
      default: { $ref: '#/components/responses/problem' },
    },
  };
}

function document(operations: readonly Operation[]): Json {
  const paths: Record<string, Json> = {};
  for (const each of operations) {
    const path = each.path.replaceAll(/[:*](\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [each.method]: operationObject(each) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Daybook log',
      version: '1',
      description: 'A transparency log. Refusals are problem details (RFC 9457).',
    },
    paths: { ...tilePaths, ...paths },
    components: {
      responses: {
        problem: {
          description: 'What is wrong, and what to do.',
          content: { [problemType]: { schema: jsonSchema(problemSchema) } },
        },
      },
    },
  };
}

/** The operation that describes itself and all others. */
export function openapiOperation(others: readonly Operation[]): Operation {
  const self: Operation = operation({
    method: 'get',
    path: '/openapi.json',
    summary: 'This description.',
    answers: { 200: { description: 'OpenAPI 3.1.', content: { [jsonType]: undefined } } },
    handle: (ctx) => answerJson(ctx, 200, described),
  });
  const described = document([...others, self]);
  return self;
}
