/** A monitor that catches up with a log: of a million entries, and with every signature checked. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { nodeVerifier } from '../src/keys/node-verifier.ts';
import { parseEnvelope, preAuthEncoding } from '../src/statement/dsse.ts';
import { newIssuer, signedReleases } from './samples.ts';
import { scratch } from './server-process.ts';
import { writeStaticLog } from './static-log.ts';

export interface AuditFigure {
  readonly name: string;
  readonly entries: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** Most resident memory of the monitor, in MB. */
  readonly rssMB: number;
  /** Signatures that this machine verifies in a second when it does nothing else. */
  readonly verifiesPerSecond?: number;
  /** Of that rate. */
  readonly share?: number;
}

/** Node's own setting lets more garbage gather than an audit gains by. */
const YOUNG_ROOM = ['--max-semi-space-size=16'];

export async function audits(unsigned: number, signed: number): Promise<AuditFigure[]> {
  const parsed = await audit('fetched, hashed, parsed', unsigned, 'unsigned');
  const before = await verifiesPerSecond();
  const checked = await audit('every Ed25519 signature checked', signed, 'signed');
  const verifies = Math.round((before + (await verifiesPerSecond())) / 2);
  const share = Math.round((checked.perSecond / verifies) * 100) / 100;
  return [parsed, { ...checked, verifiesPerSecond: verifies, share }];
}

async function audit(
  name: string,
  size: number,
  kind: 'signed' | 'unsigned',
): Promise<AuditFigure> {
  const directory = await scratch();
  const vkey = await writeStaticLog(directory, size, { signed: kind === 'signed' });
  const server = spawn(process.execPath, ['bench/static-server.ts', directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [port] = (await once(server.stdout, 'data')) as [Buffer];
  const url = `http://127.0.0.1:${String(port).trim()}/`;
  const args = [...YOUNG_ROOM, 'bench/monitor-audit.ts', url, vkey, kind];
  const output = execFileSync(process.execPath, args, { encoding: 'utf8' });
  server.kill();
  await rm(directory, { recursive: true });
  const { entries, seconds, rssMB } = JSON.parse(output) as Omit<AuditFigure, 'perSecond'>;
  const perSecond = Math.round(entries / seconds);
  return { name, entries, seconds: Math.round(seconds * 10) / 10, perSecond, rssMB };
}

/** On the thread pool, by the code that the audit verifies with. */
async function verifiesPerSecond(): Promise<number> {
  const issuer = await newIssuer();
  const signed = (await signedReleases(issuer, 20_000)).map((entry) => {
    const { payloadType, payload, signatures } = parseEnvelope(entry);
    return { message: preAuthEncoding(payloadType, payload), sig: signatures[0]?.sig ?? payload };
  });
  const started = performance.now();
  await Promise.all(
    signed.map(({ message, sig }) => nodeVerifier.verify(issuer.publicKey, message, sig)),
  );
  return (signed.length / (performance.now() - started)) * 1000;
}
