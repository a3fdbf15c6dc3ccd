import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import { type JsonObject, parseStrictJson } from '../../src/encoding/strict-json.ts';

const parse = (text: string, maxDepth = 64) => parseStrictJson(utf8(text), { maxDepth });

/** Any JSON value, with names that collide now and then and hold quotes, escapes and brackets. */
const name = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    '__proto__',
    'constructor',
    '',
    '"',
    '\\',
    '\\"',
    '{',
    ',',
    'é',
    '\u0000',
  ),
  fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, false),
    fc.integer(),
    name,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(name, tie('value'), { maxKeys: 4 }),
  ),
}));

/** A text with an object in it, and whether that names a member twice. */
interface Written {
  text: string;
  doubled: boolean;
}

describe('parseStrictJson', () => {
  it('reads what JSON.stringify writes', () => {
    fc.assert(
      fc.property(value, fc.constantFrom('', ' ', '\n\t'), (json, indent) => {
        const text = JSON.stringify(json, null, indent);
        expect(JSON.stringify(parse(text, 1000))).toBe(JSON.stringify(json));
      }),
    );
  });

  it('refuses exactly the objects that name a member twice', () => {
    const members = fc.array(fc.tuple(name, value), { maxLength: 4 });
    const wrapped = fc.tuple(members, fc.boolean()).map(([pairs, inArray]): Written => {
      const object = `{${pairs.map(([n, v]) => `${JSON.stringify(n)}:${JSON.stringify(v)}`).join(',')}}`;
      const doubled = new Set(pairs.map(([n]) => n)).size < pairs.length;
      return { text: inArray ? `[1,${object},{"a":2}]` : `{"a":[],"x":${object}}`, doubled };
    });
    fc.assert(
      fc.property(wrapped, ({ text, doubled }) => {
        if (doubled) expect(() => parse(text)).toThrow(/occurs twice/);
        else expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    ['the same name', '{"a":1,"a":1}'],
    ['a name written with an escape', '{"a":1,"\\u0061":2}'],
    ['names with escaped quotes', '{"\\"":1,"\\u0022":2}'],
    ['two __proto__', '{"__proto__":{},"__proto__":{}}'],
    ['a name deep inside', '[{"x":[{"b":1,"c":{},"b":2}]}]'],
    ['a name after a nested object with the same', '{"a":{"a":1},"b":[],"a":2}'],
  ])('refuses %s twice', (_, text) => {
    expect(() => parse(text)).toThrow(/occurs twice/);
  });

  it('does not take strings for structure', () => {
    const text = '{"a":"{\\"a\\":1,","b":"\\\\","c":["a","a",",","{"],"d":"a"}';
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  it.each([
    '',
    ' ',
    '{',
    '[',
    '"',
    '"\\',
    '{"a',
    '{"a"}',
    '{"a":1,}',
    '[1,]',
    '{a:1}',
    "{'a':1}",
    '01',
    '1 2',
    '[1}',
    '{"a":1]',
    'nul',
    'NaN',
    '{"\\u12":1}',
    '{"\\x":1}',
    '"\u0001"',
    '}',
    '],[',
    '{,"a":1}',
    '// c\n1',
    '\ufeff1',
  ])('refuses %j, which is not JSON', (text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'bad-encoding' }));
  });

  it('refuses bytes that are not UTF-8, and lone surrogates', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0x22, 0xc0, 0xaf, 0x22],
    ]) {
      expect(() => parseStrictJson(Uint8Array.from(bytes), { maxDepth: 8 })).toThrow(/UTF-8/);
    }
  });

  it('bounds the depth, without recursion', () => {
    expect(parse('[[{"a":[1]}]]', 4)).toEqual([[{ a: [1] }]]);
    expect(() => parse('[[{"a":[1]}]]', 3)).toThrow(/nested more than 3 deep/);
    expect(() => parse('['.repeat(1_000_000), 32)).toThrow(/nested more than 32 deep/);
    expect(() => parse('{"a":'.repeat(200_000), 32)).toThrow(/nested more than 32 deep/);
    expect(parse(`[${'[],'.repeat(1000)}[]]`, 2)).toHaveLength(1001);
  });

  it('keeps __proto__ as a member that touches no prototype', () => {
    const parsed = parse('{"__proto__":{"admin":true},"constructor":1}') as JsonObject;
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
    expect(parsed.admin).toBeUndefined();
    expect(Object.keys(parsed)).toEqual(['__proto__', 'constructor']);
  });
});
