import { describe, expect, test } from '@jest/globals';
import { PassThrough } from 'node:stream';
import { printable, printFields, printTable } from './output.js';

function table(columns: number | undefined, rows: readonly (readonly string[])[]): readonly string[] {
  const written = new PassThrough();
  const stream = Object.assign(written, columns === undefined ? {} : { isTTY: true, columns });
  printTable({ json: false, stream, errors: new PassThrough() }, ['NAME', 'WORKERS', 'WHY NOT'], rows);
  return String(written.read()).trimEnd().split('\n');
}

const reason = 'its driver is 535.104.05, 580.65.06 or newer is asked (12 workers)';
const rows = [
  ['driver >= 580.65.06', '120', reason],
  ['gpu is healthy', '132', ''],
];

test('a terminal that is too narrow folds the widest columns at spaces, and no line is longer than it', () => {
  const lines = table(60, rows);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(60);
  expect(lines).toEqual([
    'NAME                 WORKERS  WHY NOT',
    'driver >= 580.65.06  120      its driver is 535.104.05,',
    '                              580.65.06 or newer is asked',
    '                              (12 workers)',
    'gpu is healthy       132',
  ]);
});

test('a word that is longer than its column is cut, and nothing of it is lost', () => {
  const lines = table(50, [['x'.repeat(80), '1', '']]);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(50);
  expect(lines.join('').match(/x/g)).toHaveLength(80);
});

test.each([undefined, 200])(
  'each row is one line where there is room, and for programs (%s columns)',
  (columns) => {
    expect(table(columns, rows)).toHaveLength(3);
  },
);

describe('printable', () => {
  const terminal = { isTTY: true };

  test.each([
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

  test('changes nothing for a program', () => {
    expect(printable('\x1b[31mred\r\n', {})).toBe('\x1b[31mred\r\n');
  });
});

describe('what others have named, in a terminal', () => {
  const hostile = 'job\x1b[2J\nFINISHED';

  test('cannot forge a line of a table', () => {
    expect(table(200, [[hostile, '1', '']])[1]).toMatch(/^job\\x1b\[2J\\nFINISHED/);
    expect(table(undefined, [[hostile, '1', '']])[1]).toBe('job\x1b[2J');
  });

  test('cannot forge a field', () => {
    const stream = Object.assign(new PassThrough(), { isTTY: true });
    printFields({ json: false, stream, errors: new PassThrough() }, [['name', hostile]]);
    expect(String(stream.read())).toBe('name  job\\x1b[2J\\nFINISHED\n');
  });
});
