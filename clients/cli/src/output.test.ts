import { expect, test } from '@jest/globals';
import { PassThrough } from 'node:stream';
import { sayTable } from './output.js';

function table(columns: number | undefined, rows: readonly (readonly string[])[]): readonly string[] {
  const written = new PassThrough();
  const stream = Object.assign(written, columns === undefined ? {} : { isTTY: true, columns });
  sayTable({ json: false, stream, errors: new PassThrough() }, ['NAME', 'WORKERS', 'WHY NOT'], rows);
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
