/** What `daybook serve` is told: by flags, then environment, then a config file, then defaults; validated. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { DaybookError } from '../errors.ts';

const whole = (least: number, most: number): z.ZodType<number> =>
  z.coerce
    .number<number | string>(`want a whole number from ${least} to ${most}`)
    .int(`want a whole number from ${least} to ${most}`)
    .min(least, `want ${least} to ${most}`)
    .max(most, `want ${least} to ${most}`);

const settings = z.strictObject({
  port: whole(0, 65_535).default(8080),
  host: z.string().min(1, 'want a host name or an address').default('127.0.0.1'),
  data: z.string().min(1, 'want a directory').default('./data'),
  origin: z.string().min(1, 'want a name without spaces or plus').optional(),
  intervalMs: whole(50, 3_600_000).default(1000),
  admission: z.enum(['issuers', 'open'], 'want issuers or open').optional(),
  witnesses: z.string().min(1, 'want a file').optional(),
  heartbeatMs: whole(1000, 86_400_000).default(600_000),
  maxUnpublished: whole(1, 1_000_000_000).default(1_000_000),
  auditors: z.string().min(1, 'want a file').optional(),
  overrideWitness: z
    .union([z.string(), z.array(z.string())], 'want names of witnesses')
    .transform((names) => (typeof names === 'string' ? names.split(/\s+/) : names))
    .default([]),
  logLevel: z
    .enum(['debug', 'info', 'warn', 'error', 'silent'], 'want debug, info, warn, error or silent')
    .default('warn'),
});

export type ServeConfig = z.output<typeof settings>;
type Name = keyof ServeConfig;

/** Flag and environment variable of each setting; the config file uses the names as they are. */
const names: Readonly<Record<Name, { readonly flag: string; readonly variable: string }>> = {
  port: { flag: '--port', variable: 'DAYBOOK_PORT' },
  host: { flag: '--host', variable: 'DAYBOOK_HOST' },
  data: { flag: '--data', variable: 'DAYBOOK_DATA' },
  origin: { flag: '--origin', variable: 'DAYBOOK_ORIGIN' },
  intervalMs: { flag: '--interval-ms', variable: 'DAYBOOK_INTERVAL_MS' },
  admission: { flag: '--admission', variable: 'DAYBOOK_ADMISSION' },
  witnesses: { flag: '--witnesses', variable: 'DAYBOOK_WITNESSES' },
  heartbeatMs: { flag: '--heartbeat-ms', variable: 'DAYBOOK_HEARTBEAT_MS' },
  maxUnpublished: { flag: '--max-unpublished', variable: 'DAYBOOK_MAX_UNPUBLISHED' },
  auditors: { flag: '--auditors', variable: 'DAYBOOK_AUDITORS' },
  overrideWitness: { flag: '--override-witness', variable: 'DAYBOOK_OVERRIDE_WITNESS' },
  logLevel: { flag: '--log-level', variable: 'DAYBOOK_LOG_LEVEL' },
};

export type ServeFlags = Partial<Record<Exclude<Name, 'overrideWitness'> | 'config', string>> & {
  readonly overrideWitness?: string[];
};

/** Throws `bad-usage` that names the option, where it came from and what is accepted. */
export function serveConfig(
  flags: ServeFlags,
  environment: Readonly<Record<string, string | undefined>>,
): ServeConfig {
  const { config: configFlag, ...fromFlags } = flags;
  const path = configFlag ?? environment.DAYBOOK_CONFIG;
  const fromFile = path === undefined ? {} : readConfigFile(path);
  const given: Record<string, unknown> = { ...fromFile };
  const sources = new Map<string, string>();
  for (const name of Object.keys(fromFile)) sources.set(name, `${name} in ${path}`);
  for (const [name, { flag, variable }] of Object.entries(names)) {
    const fromVariable = environment[variable];
    if (fromVariable !== undefined && fromVariable !== '') {
      given[name] = fromVariable;
      sources.set(name, variable);
    }
    const fromFlag = fromFlags[name as Name];
    if (fromFlag !== undefined) {
      given[name] = fromFlag;
      sources.set(name, flag);
    }
  }
  const parsed = settings.safeParse(given);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => describe(issue, given, sources, path));
  throw new DaybookError('bad-usage', problems.join('; '));
}

function describe(
  issue: z.core.$ZodIssue,
  given: Readonly<Record<string, unknown>>,
  sources: ReadonlyMap<string, string>,
  path: string | undefined,
): string {
  if (issue.code === 'unrecognized_keys') {
    return `${issue.keys.join(', ')} in ${path}: no such setting, want ${Object.keys(names).join(', ')}`;
  }
  const name = String(issue.path[0]);
  return `${sources.get(name) ?? name} is ${JSON.stringify(given[name])}, ${issue.message}`;
}

function readConfigFile(path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new DaybookError('bad-usage', `config file ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new DaybookError('bad-usage', `config file ${path} is not a JSON object`);
  }
  return value as Record<string, unknown>;
}
