/** The shell steps of the action and of the snippets in docs/ci, run as the CI systems run them. */
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseReleaseFile } from '../../src/proof/release-file.ts';
import { parseEnvelope } from '../../src/statement/dsse.ts';
import { parseStatement } from '../../src/statement/in-toto.ts';
import { provenancePredicateType, readProvenance } from '../../src/statement/provenance.ts';
import { organisations, product, type Organisations } from './organisations.ts';

const run = promisify(execFile);
const commit = '0123456789'.repeat(4);

let org: Organisations;
let path: string;
beforeAll(async () => {
  org = await organisations();
  // The snippets find `daybook` where npm has put it; here it runs from source.
  path = [org.path('bin'), process.env.PATH].join(delimiter);
  await mkdir(org.path('bin'));
  const script = `#!/bin/sh\nexec ${process.execPath} ${resolve('src/cli/main.ts')} "$@"\n`;
  await writeFile(org.path('bin/daybook'), script, { mode: 0o755 });
  await mkdir(org.path('daybook'));
  await copyFile(org.path('data/log.policy'), org.path('daybook/log.policy'));
});
afterAll(() => org.leave());

/** The text of a step: what is indented further than the line that `start` matches. */
function stepOf(file: string, start: RegExp): string {
  const lines = file.split('\n');
  const first = lines.findIndex((line) => start.test(line));
  const indent = (line: string): number => line.search(/\S/);
  const least = indent(lines[first] ?? '');
  const end = lines.findIndex(
    (line, i) => i > first && line.trim() !== '' && indent(line) <= least,
  );
  expect(first).toBeGreaterThan(-1);
  return lines.slice(first + 1, end).join('\n');
}

async function statementsAbout(file: string): Promise<ReturnType<typeof parseStatement>[]> {
  const { entries } = parseReleaseFile(await readFile(org.path(`${file}.release`)));
  return entries.map(({ entry }) => parseStatement(parseEnvelope(entry).payload));
}

async function expectLogged(file: string, channel: string, purl: string): Promise<void> {
  const statements = await statementsAbout(file);
  const types = statements.map(({ predicateType }) => predicateType);
  expect(types).toHaveLength(2);
  const provenance = statements.find((each) => each.predicateType === provenancePredicateType)!;
  expect(readProvenance(provenance)).toMatchObject({
    source: expect.stringMatching(new RegExp(`^git\\+https://.*@${commit}$`)) as string,
    assembly: { site: 'Zurich', jurisdiction: 'CH' },
  });
  const shown = await org.ask('channel', 'show', channel, '--issuer', 'vendor.pub', '--json');
  const { current } = JSON.parse(shown.stdout) as { current: { purl: string }[] };
  expect(current.map((each) => each.purl)).toEqual([purl]);
}

test('the action logs provenance and release, makes it current and bundles it', async () => {
  const action = await readFile('action/action.yml', 'utf8');
  const script = /run: (bash "\$GITHUB_ACTION_PATH.*)$/m.exec(action)?.[1];
  // Each input reaches the script as a variable, and no variable of the script is missing.
  const passed = [...action.matchAll(/^ {8}([A-Z]+): \$\{\{ inputs\.([a-z]+) \}\}$/gm)];
  expect(passed.map(([, , input]) => input)).toEqual(
    [...stepOf(action, /^inputs:/).matchAll(/^ {2}([a-z]+):$/gm)].map(([, input]) => input),
  );
  await org.write('scanner one', 'for amd64');
  await org.write('scanner-two', 'for arm64');
  const given: Record<string, string> = {
    FILES: 'scanner one\nscanner-two\n',
    PURL: product,
    LOG: org.url.href,
    POLICY: 'daybook/log.policy',
    KEY: await readFile(org.path('vendor'), 'utf8'),
    KIND: 'build',
    ASSEMBLY: 'Zurich,CH',
    CHANNEL: 'acme/stable',
    EXPIRES: '25h',
  };
  const env = {
    ...process.env,
    ...Object.fromEntries(passed.map(([, name = '']) => [name, given[name] ?? ''])),
    GITHUB_ACTION_PATH: resolve('action'),
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_REPOSITORY: 'acme/scanner',
    GITHUB_SHA: commit,
    GITHUB_WORKFLOW_REF: 'acme/scanner/.github/workflows/release.yml@refs/tags/v1.2.3',
    GITHUB_RUN_ID: '7',
  };
  const { stdout } = await run('bash', ['-c', script!], { cwd: org.directory, env });
  expect(stdout).not.toContain('PRIVATE KEY');
  for (const file of ['scanner one', 'scanner-two']) {
    await expectLogged(file, 'acme/stable', product);
  }
  const [first] = await statementsAbout('scanner-two');
  expect(readProvenance(first!).builderId).toBe(
    'https://github.com/acme/scanner/.github/workflows/release.yml',
  );
});

test.each([
  {
    file: 'docs/ci/gitlab-ci.yml',
    start: /^ {4}- \|$/,
    variables: {
      CI_SERVER_URL: 'https://gitlab.acme.example',
      CI_JOB_URL: 'https://gitlab/jobs/7',
    },
  },
  {
    file: 'docs/ci/Jenkinsfile',
    start: /sh '''/,
    variables: { JENKINS_URL: 'https://jenkins.acme.example/', BUILD_URL: 'https://jenkins/7' },
  },
])('the step of $file does, too', async ({ file, start, variables }) => {
  const script = stepOf(await readFile(file, 'utf8'), start);
  const purl = `pkg:generic/acme/scanner@${file.length}`;
  await org.write('scanner.tar.gz', file);
  await copyFile(org.path('vendor'), org.path('secret'));
  await chmod(org.path('secret'), 0o600);
  const env = {
    ...process.env,
    ...variables,
    PATH: path,
    DAYBOOK_LOG: org.url.href,
    DAYBOOK_POLICY: join('daybook', 'log.policy'),
    DAYBOOK_KEY: 'secret',
    PURL: purl,
    SOURCE: `git+https://git.acme.example/scanner@${commit}`,
  };
  await run('bash', ['-c', script], { cwd: org.directory, env });
  await expectLogged('scanner.tar.gz', 'acme/stable', purl);
});
