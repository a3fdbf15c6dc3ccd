/** What `npm install daybook` gives: the exports map, with types, as someone else's project sees it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

describe("another project's", () => {
  const project = mkdtempSync(join(tmpdir(), 'daybook-exports-'));

  beforeAll(() => {
    mkdirSync(join(project, 'node_modules'));
    symlinkSync(process.cwd(), join(project, 'node_modules', 'daybook'));
    writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
    const code = `
      import { parsePolicy, verifyProof, type Verdict } from 'daybook/verify';
      import { LogClient } from 'daybook/client';

      const policy = parsePolicy('log example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\\nquorum none\\n');
      const verdict: Verdict = await verifyProof({
        artifact: { sha256: new Uint8Array(32) },
        proof: new Uint8Array(),
        policy,
        issuers: [],
      }).catch(() => ({ ok: false, checks: [], facts: {} }));
      console.log(verdict.ok, typeof LogClient);
    `;
    writeFileSync(join(project, 'uses-daybook.ts'), code);
  });

  afterAll(() => rmSync(project, { recursive: true }));

  const run = (...args: string[]): string =>
    execFileSync(process.execPath, args, { cwd: project, encoding: 'utf8' });

  test('code runs', () => {
    expect(run('uses-daybook.ts')).toBe('false function\n');
  });

  test('types check', () => {
    const tsc = join(process.cwd(), 'node_modules/typescript/bin/tsc');
    const types = join(process.cwd(), 'node_modules/@types');
    const options = ['--strict', '--module', 'nodenext', '--target', 'es2024', '--noEmit'];
    const result = run(tsc, ...options, '--typeRoots', types, '--types', 'node', 'uses-daybook.ts');
    expect(result).toBe('');
  });

  test('code cannot reach what is not exported', () => {
    const reach = "import('daybook/dist/log/log.js').catch(({ code }) => console.log(code))";
    expect(run('--input-type=module', '--eval', reach)).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED\n');
  });
});
