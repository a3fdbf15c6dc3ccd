/**
 * A small C program from secret source to its first run: committed, built, reviewed, built anew by two
 * others in other places, approved, bundled, and run through the gate. Then the same from a source that
 * was changed. Real git, gcc, ar and log; what each organisation types is what the documents say.
 */
import { execFile, spawnSync } from 'node:child_process';
import { appendFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKeyFile } from '../../src/keys/key-file.ts';
import type { Ran } from '../cli/daybook.ts';
import { organisations, type Organisations } from '../cli/organisations.ts';

const product = 'pkg:generic/acme/scanner@1.2.3';
const repository = 'git+https://git.acme.example/scanner';
const sources = {
  'src/engine.h': 'const char *verdict(int files);\n',
  'src/engine.c': `#include "engine.h"
const char *verdict(int files) { return files > 0 ? "clean" : "nothing to scan"; }
`,
  'src/main.c': `#include <stdio.h>
#include "engine.h"
int main(int count, char **files) {
  (void)files;
  printf("scanner 1.2.3 (%s, %s): %s\\n", __DATE__, __FILE__, verdict(count - 1));
  return 0;
}
`,
  // Debian's recipe: the time is that of the source, and paths do not say where it was built.
  'build.sh': `#!/bin/sh -eu
prefix=\${PREFIX_MAP--ffile-prefix-map=$PWD=.}
for part in engine main; do gcc -O2 -g $prefix -c "$PWD/src/$part.c" -o $part.o; done
ar rcsD libengine.a engine.o
gcc main.o libengine.a -o scanner
`,
};

const toolchain = ['gcc', 'git'].every((tool) => spawnSync(tool, ['--version']).status === 0);

let org: Organisations;
let commit: string;
let commitment: string;
const sh = async (
  cwd: string,
  command: string,
  env: Record<string, string> = {},
): Promise<string> => {
  const options = { cwd: org.path(cwd), env: { ...process.env, ...env } };
  return (await promisify(execFile)('sh', ['-euc', command], options)).stdout.trim();
};
const ok = (ran: Ran): Ran => {
  expect(ran.exit, ran.stdout + ran.stderr).toBe(0);
  return ran;
};

/** Builds a clone in a directory of the builder's own; the program lands beside the log's other files. */
async function build(
  directory: string,
  into: string,
  env: Record<string, string> = {},
): Promise<void> {
  const time = await sh(directory, 'git log -1 --format=%ct');
  await sh(directory, './build.sh', { SOURCE_DATE_EPOCH: time, ...env });
  await cp(org.path(`${directory}/scanner`), org.path(into));
}

async function clone(into: string): Promise<void> {
  await mkdir(org.path(into), { recursive: true });
  await sh('.', `git clone -q repository '${into}'`);
}

const provenance = (file: string, source: string, root: string): Promise<Ran> =>
  org.as(
    'vendor',
    ...[
      'attest',
      'provenance',
      file,
      '--purl',
      product,
      '--builder',
      'https://ci.acme.example/release',
    ],
    ...[
      '--source',
      source,
      '--commitment',
      root,
      '--assembly',
      'Zurich,CH',
      '--signing',
      'Zurich,CH',
    ],
  );
const rebuild = (organisation: string, file: string, claims: string): Promise<Ran> =>
  org.as(
    organisation,
    ...[
      'rebuild',
      file,
      '--claims',
      claims,
      '--builder',
      `https://${organisation}.example/rebuilds`,
    ],
    ...['--tree', `given-to/${organisation}`, '--master', 'master'],
  );
/** As a client: with the release file beside the program, and nothing else of the vendor's. */
const gate = async (file: string, ...args: readonly string[]): Promise<Ran> => {
  ok(await org.ask('bundle', file, '--out', `${file}.release`));
  return org.run('gate', file, '--policy', 'release-policy.json', ...args, '--', '{}', 'a.txt');
};

async function writePolicy(): Promise<void> {
  const key = async (name: string): Promise<{ key: string }> => {
    const pem = await readFile(org.path(`${name}.pub`), 'utf8');
    return { key: pem.replace(/-----.*-----|\n/g, '') };
  };
  const names = ['vendor', 'uni', 'debian', 'agency', 'auditor'];
  const keys = await Promise.all(names.map(async (name) => [name, await key(name)]));
  const trust = await readFile(org.path('data/log.policy'), 'utf8');
  const policy = {
    version: 1,
    trust: trust.trim().split('\n'),
    keys: Object.fromEntries(keys) as Record<string, { key: string }>,
    products: [
      {
        purl: 'pkg:generic/acme/*',
        issuers: ['vendor'],
        builders: { keys: ['vendor'], ids: ['https://ci.acme.example/release'] },
        source: { repository, commits: [commit], commitments: [commitment] },
        rebuilds: { threshold: 2, keys: ['uni', 'debian'], sourceChecked: true },
        approvals: { threshold: 1, keys: ['agency'] },
        reviews: { threshold: 1, keys: ['auditor'] },
        assembly: { sites: ['Zurich'], jurisdictions: ['CH'] },
      },
    ],
  };
  await org.write('release-policy.json', JSON.stringify(policy));
}

beforeAll(async () => {
  org = await organisations();
  for (const [name, role] of Object.entries({ debian: 'rebuild', auditor: 'approve' })) {
    await createKeyFile(org.path(name), 'ed25519');
    const issuer = ['--name', name, '--key', `${name}.pub`, '--role', role];
    ok(await org.run('issuer', 'add', '--data', 'data', ...issuer, '--purl', 'pkg:generic/acme/*'));
  }
  await mkdir(org.path('repository/src'), { recursive: true });
  for (const [name, text] of Object.entries(sources)) {
    await writeFile(org.path(`repository/${name}`), text, {
      mode: name.endsWith('.sh') ? 0o755 : 0o644,
    });
  }
  const author = '-c user.name=acme -c user.email=dev@acme.example';
  await sh('repository', `git init -q && git add . && git ${author} commit -qm 'Scan'`);
  commit = await sh('repository', 'git rev-parse HEAD');
});
afterAll(() => org.leave());

describe.skipIf(!toolchain)('from source to the first run', () => {
  test('the vendor commits to its source, builds it, and logs what and how', async () => {
    await clone('vendor-tree');
    const committing = ['--new-master', '--master', 'master', '--purl', product];
    const said = ok(await org.as('vendor', 'source', 'commit', 'vendor-tree', ...committing));
    commitment = /^commitment: ([0-9a-f]{64})$/m.exec(said.stdout)?.[1] ?? '';
    await build('vendor-tree', 'scanner');
    ok(await org.as('vendor', 'release', 'scanner', '--purl', product));
    ok(await provenance('scanner', `${repository}@${commit}`, commitment));
    await writePolicy();
  });

  test('that is not enough for a client who wants to know that it is the source', async () => {
    const ran = await gate('scanner');
    expect(ran.stdout).toBe('');
    expect(ran.exit, ran.stderr).toBe(23);
    for (const missing of ['rebuilds', 'approvals', 'reviews'])
      expect(ran.stderr).toContain(missing);
  });

  test('a reviewer who was given tree and master reviews that source', async () => {
    await clone('audit/what-we-were-given');
    const given = ['audit/what-we-were-given', '--master', 'master'];
    ok(
      await org.run(
        'source',
        'check',
        ...given,
        '--release',
        'scanner.release',
        '--policy',
        'data/log.policy',
      ),
    );
    const found = ['--commitment', commitment, '--all', '--verifier', 'https://audit.example'];
    ok(await org.as('auditor', 'source', 'review', ...given, ...found));
  });

  test.each([
    ['uni', 'home/uni/rebuilds/scanner'],
    ['debian', 'srv/buildd/a-much-longer-path/scanner-1.2.3'],
  ])('%s gets the same bytes in a directory of its own', async (rebuilder, directory) => {
    await clone(`given-to/${rebuilder}`);
    await clone(directory);
    await build(directory, `scanner-by-${rebuilder}`);
    const ran = ok(await rebuild(rebuilder, `scanner-by-${rebuilder}`, 'scanner.release'));
    expect(ran.stdout).toContain('reproduced');
  });

  test('which they would not without care for time and paths', async () => {
    const program = await readFile(org.path('scanner'));
    const careless = { time: { SOURCE_DATE_EPOCH: '1' }, paths: { PREFIX_MAP: '' } };
    for (const [name, env] of Object.entries(careless)) {
      await clone(`careless-${name}`);
      await build(`careless-${name}`, `scanner-${name}`, env);
      expect(program.equals(await readFile(org.path(`scanner-${name}`))), name).toBe(false);
    }
  });

  test('the agency approves it, and the gate runs it', async () => {
    const checked = [
      '--purl',
      product,
      '--verifier',
      'https://agency.example',
      '--checked',
      'malware',
    ];
    ok(await org.as('agency', 'approve', 'scanner', ...checked));
    const ran = ok(await gate('scanner'));
    expect(ran.stdout).toMatch(
      /^scanner 1\.2\.3 \([A-Z][a-z]{2} +\d+ \d{4}, \.\/src\/main\.c\): clean\n$/,
    );
  });
});

describe.skipIf(!toolchain)('from a changed source', () => {
  beforeAll(async () => {
    await clone('changed');
    await appendFile(org.path('changed/src/engine.c'), 'const char *backdoor = "open";\n');
    await build('changed', 'changed.bin');
  });

  test('nothing runs under the proof of the good one', async () => {
    const ran = await org.run(
      ...['gate', 'changed.bin', '--policy', 'release-policy.json', '--proof', 'scanner.release'],
      ...['--', '{}'],
    );
    expect(ran.stdout).toBe('');
    expect(ran.exit, ran.stderr).toBe(18);
  });

  test('the vendor may claim the audited source: the rebuilders get something else, for all to see', async () => {
    ok(await org.as('vendor', 'release', 'changed.bin', '--purl', product));
    ok(await provenance('changed.bin', `${repository}@${commit}`, commitment));
    ok(
      await org.as(
        'agency',
        'approve',
        'changed.bin',
        '--purl',
        product,
        '--verifier',
        'https://agency.example',
      ),
    );
    ok(await org.ask('bundle', 'changed.bin'));
    const ran = await rebuild('uni', 'scanner-by-uni', 'changed.bin.release');
    expect(ran.exit).toBe(23);
    const index = /is entry (\d+) of /.exec(ran.stdout)?.[1] ?? '';
    expect(ran.stderr).toContain(`entry ${index}`);
    const run = await gate('changed.bin');
    expect(run.stdout).toBe('');
    expect(run.exit, run.stderr).toBe(23);
  });

  test('or it names the changed source, which nobody audited', async () => {
    const committing = ['--new-master', '--master', 'master-2', '--purl', product];
    await sh('changed', 'git clean -qfdx && echo more >> src/engine.h');
    const said = ok(await org.as('vendor', 'source', 'commit', 'changed', ...committing));
    const other = /^commitment: ([0-9a-f]{64})$/m.exec(said.stdout)?.[1] ?? '';
    expect(other).not.toBe(commitment);
    await cp(org.path('changed.bin'), org.path('honest.bin'));
    await appendFile(org.path('honest.bin'), ' ');
    ok(await org.as('vendor', 'release', 'honest.bin', '--purl', product));
    ok(await provenance('honest.bin', `${repository}@${'0'.repeat(40)}`, other));
    const run = await gate('honest.bin');
    expect(run.stdout).toBe('');
    expect(run.exit, run.stderr).toBe(22);
  });

  test('while the good one still runs', async () => {
    expect(ok(await gate('scanner')).stdout).toContain('clean');
  });
});
