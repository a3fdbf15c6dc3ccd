/**
 * "Audited by X up to here", with real processes: a log, its witness, and a monitor that reads every
 * entry and cosigns. The log gathers both cosignatures, and a policy asks for both.
 */
import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { formatVkey, parseVkey, type VerifierKey } from '../../src/note/vkey.ts';
import { checkCheckpoint, parsePolicy } from '../../src/verify/policy.ts';
import { closedPort, daybook, removeDirectory, temporaryDirectory } from '../cli/daybook.ts';
import { startLog } from '../cli/running-log.ts';
import { startWitness } from '../witness/running-witness.ts';

const origin = 'log.example/audited';

test('a log gathers its auditor', async () => {
  const directory = await temporaryDirectory();
  onTestFinished(() => removeDirectory(directory));
  const path = (name: string): string => join(directory, name);
  const list = { logs: new Map<string, VerifierKey[]>() };
  const witness = await startWitness({ list });
  const made = await daybook(
    directory,
    ...['monitor', 'init', '--data', 'watch', '--name', 'auditor.example/m1'],
  );
  const [monitorVkey = ''] = /auditor\.example\/m1\+\S+/.exec(made.stdout) ?? [];
  const monitorPort = await closedPort();
  const monitorLine = `witness auditor ${monitorVkey} http://127.0.0.1:${monitorPort}/`;
  const witnessLine = `witness w ${formatVkey(witness.keys[0] as VerifierKey)} ${witness.url}/`;
  await writeFile(path('witnesses'), `${witnessLine}\nquorum w\n`);
  await writeFile(path('auditors'), `${monitorLine}\nquorum none\n`);
  await mkdir(path('data'));
  const log = await startLog(path('data'), [
    ...['--admission', 'open', '--origin', origin, '--interval-ms', '50'],
    ...['--witnesses', path('witnesses'), '--auditors', path('auditors')],
  ]);
  onTestFinished(async () => void (await log.stop()));
  const vkeys = (await readFile(join(path('data'), 'log.vkey'), 'utf8')).trim().split('\n');
  list.logs.set(origin, vkeys.map(parseVkey));
  while (!(await fetch(new URL('readyz', log.url))).ok) await delay(50);
  const lines = Array.from({ length: 600 }, (_, i) => `entry ${i}\n`).join('');
  const batch = await fetch(new URL('entries/batch', log.url), {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines,
  });
  await batch.text();

  const config = {
    data: 'watch',
    listen: { host: '127.0.0.1', port: monitorPort },
    logs: [{ vkeys, url: log.url.href, cosigned: true }],
    pollSeconds: 1,
    cosign: true,
  };
  await writeFile(path('monitor.json'), JSON.stringify(config));
  const monitor = spawn(
    process.execPath,
    [resolve('src/cli/main.ts'), 'monitor', '--config', path('monitor.json')],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  onTestFinished(() => void monitor.kill('SIGKILL'));

  const policy = parsePolicy(
    [
      ...vkeys.map((vkey) => `log ${vkey}`),
      ...[witnessLine, monitorLine, 'group q all w auditor', 'quorum q', ''],
    ].join('\n'),
  );
  for (const name of ['checkpoint', 'cosigned-checkpoint']) {
    for (;;) {
      const answer = await fetch(new URL(name, log.url));
      const note = new Uint8Array(await answer.arrayBuffer());
      const checked = await checkCheckpoint(note, policy, nodeVerifier).catch(
        (error: unknown) => (error as { code?: string }).code,
      );
      if (typeof checked === 'object') {
        expect(checked.checkpoint).toMatchObject({ origin, size: 601 });
        break;
      }
      expect(checked).toBe('quorum-missing');
      await delay(200);
    }
  }
});
