import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAptInput } from '../../src/cli/apt-protocol.ts';

const input = (...lines: string[]): Uint8Array =>
  Buffer.from(lines.map((line) => `${line}\n`).join(''));
const install = 'scanner 1.0 amd64 none < 1.1 amd64 none /archives/scanner_1.1_amd64.deb';

describe('what APT is about to do', () => {
  test('are files to unpack; removals and configuration are left out', () => {
    const bytes = input(
      'VERSION 3',
      'APT::Architecture=amd64',
      'Dir::Log::Terminal=',
      '',
      install,
      'scanner 1.0 amd64 none < 1.1 amd64 none **CONFIGURE**',
      'old 1.0 all none > - - none **REMOVE**',
      'odd - - none < 2 all none /a folder/odd 2.deb',
    );
    expect(parseAptInput(bytes)).toEqual([
      { name: 'scanner', version: '1.1', path: '/archives/scanner_1.1_amd64.deb' },
      { name: 'odd', version: '2', path: '/a folder/odd 2.deb' },
    ]);
    expect(parseAptInput(input('VERSION 3', ''))).toEqual([]);
  });

  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', Buffer.from(''), /begins with "".*VERSION 3/],
    ['version 1, only paths', input('/archives/a.deb'), /VERSION 3/],
    ['version 2', input('VERSION 2', ''), /"VERSION 2"/],
    ['version 33', input('VERSION 33', ''), /VERSION 3/],
    ['a carriage return', input('VERSION 3\r', ''), /VERSION 3/],
    ['no end of the configuration', Buffer.from('VERSION 3\nA=b'), /empty line/],
    ['no actions after the configuration', input('VERSION 3', 'A=b'), /cut off/],
    ['a line that is cut off', input('VERSION 3', '', install).subarray(0, -1), /cut off/],
    ['fields missing', input('VERSION 3', '', 'scanner - < 1.1 /a.deb'), /nine fields/],
    ['an empty line among actions', input('VERSION 3', '', '', install), /nine fields/],
    [
      'a file that APT lost',
      input('VERSION 3', '', 'a - - none < 1 all none **ERROR**'),
      /no file/,
    ],
    ['another action', input('VERSION 3', '', 'a - - none < 1 all none **NEW**'), /\*\*NEW\*\*/],
  ])('is refused when it is %s', (_, bytes, message) => {
    expect(() => parseAptInput(bytes)).toThrow(message);
  });

  test('never loses a file, whatever stands around it', () => {
    const word = fc.stringMatching(/^[a-z0-9.+:~-]{1,12}$/);
    const path = fc.stringMatching(/^\/[ -~]{1,30}$/);
    const action = fc.tuple(
      word,
      word,
      fc.oneof(path, fc.constantFrom('**CONFIGURE**', '**REMOVE**')),
    );
    fc.assert(
      fc.property(fc.array(action), (actions) => {
        const lines = actions.map(
          ([name, version, file]) => `${name} - - none < ${version} all none ${file}`,
        );
        const files = actions.map(([, , file]) => file).filter((file) => file.startsWith('/'));
        expect(parseAptInput(input('VERSION 3', '', ...lines)).map((each) => each.path)).toEqual(
          files,
        );
      }),
    );
  });
});
