import { describe, expect, it } from '@jest/globals';
import { PassThrough } from 'node:stream';
import stringWidth from 'string-width';
import { printable, printFields, printTable } from './output.js';

function table(columns: number | undefined, rows: readonly (readonly string[])[]): readonly string[] {
  const written = new PassThrough();
  const stream = Object.assign(written, columns === undefined ? {} : { isTTY: true, columns });
  printTable({ json: false, stream, errors: new PassThrough() }, ['NAME', 'WORKERS', 'WHY NOT'], rows);
  return String(written.read()).trimEnd().split('\n');
}

const reason = 'its driver is 535.104.05, 580.65.06 or newer is required (12 workers)';
const rows = [
  ['driver >= 580.65.06', '120', reason],
  ['gpu is healthy', '132', ''],
];

it('wraps the widest columns at spaces in a narrow terminal', () => {
  const lines = table(60, rows);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(60);
  expect(lines).toEqual([
    'NAME                 WORKERS  WHY NOT',
    'driver >= 580.65.06  120      its driver is 535.104.05,',
    '                              580.65.06 or newer is required',
    '                              (12 workers)',
    'gpu is healthy       132',
  ]);
});

it('cuts a word that is longer than its column, and loses nothing of it', () => {
  const lines = table(50, [['x'.repeat(80), '1', '']]);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(50);
  expect(lines.join('').match(/x/g)).toHaveLength(80);
});

it.each([undefined, 200])(
  'prints each row on one line if it fits, and for programs (%s columns)',
  (columns) => {
    expect(table(columns, rows)).toHaveLength(3);
  },
);

describe('printTable', () => {
  it('aligns columns after characters that take two columns of a terminal, or none', () => {
    const names = ['望遠鏡', 'e\u0301'.repeat(5), '🔭 scan', 'plain'];
    const lines = table(
      undefined,
      names.map((name) => [name, '1', '']),
    );
    const starts = lines.slice(1).map((line) => stringWidth(line.slice(0, line.indexOf('1'))));
    expect(starts).toEqual([9, 9, 9, 9]);
  });

  it('wraps between characters, never within one', () => {
    const lines = table(50, [['望'.repeat(40), '1', '']]);
    expect(Math.max(...lines.map((line) => stringWidth(line)))).toBeLessThanOrEqual(50);
    expect(lines.join('').match(/望/g)).toHaveLength(40);
  });
});

describe('printable', () => {
  const terminal = { isTTY: true };

  it.each([
    ['\x1b[31mred\x1b[0m', 'red'],
    ['\x1b[1;38;5;200mbold\x1b[m', 'bold'],
    ['\x1b]0;title\x07', '\\x1b]0;title\\x07'],
    ['\x1b[2J\x1b[H', '\\x1b[2J\\x1b[H'],
    ['\x9b2J', '\\u009b2J'],
    ['10 %\r20 %\r\n', '10 %\\r20 %\n'],
    ['a\u202eb', 'a\\u202eb'],
    ['tab\tand\nline, ü € 😀', 'tab\tand\nline, ü € 😀'],
  ])('shows %j in a terminal as %j', (text, shown) => {
    expect(printable(text, terminal)).toBe(shown);
  });

  it('changes nothing for a program', () => {
    expect(printable('\x1b[31mred\r\n', {})).toBe('\x1b[31mred\r\n');
  });
});

describe('printTable and printFields in a terminal', () => {
  const hostile = 'job\x1b[2J\nFINISHED';

  it('prevents forging a line of a table', () => {
    expect(table(200, [[hostile, '1', '']])[1]).toMatch(/^job\\x1b\[2J\\nFINISHED/);
    expect(table(undefined, [[hostile, '1', '']])[1]).toBe('job\x1b[2J');
  });

  it('prevents both in a file, where the command asks for it', () => {
    const stream = new PassThrough();
    const output = { json: false, stream, errors: new PassThrough(), escapes: 'ALWAYS' } as const;
    printFields(output, [['name', hostile]]);
    printTable(output, ['NAME'], [[hostile]]);
    expect(String(stream.read())).toBe('name  job\\x1b[2J\\nFINISHED\nNAME\njob\\x1b[2J\\nFINISHED\n');
  });

  it('prevents forging a field', () => {
    const stream = Object.assign(new PassThrough(), { isTTY: true });
    printFields({ json: false, stream, errors: new PassThrough() }, [['name', hostile]]);
    expect(String(stream.read())).toBe('name  job\\x1b[2J\\nFINISHED\n');
  });
});
