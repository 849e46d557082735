import { expect, it } from '@jest/globals';
import { addReport, type QuantumReport, reportIn } from './quantum-report.js';

it.each([
  ['{"rubinQuantum":"a","exitCode":0,"seconds":1.5}', { name: 'a', exitCode: 0, seconds: 1.5 }],
  ['  { "exitCode": 3, "rubinQuantum": "a" }', { name: 'a', exitCode: 3 }],
  ['{"rubinQuantum":"a","exitCode":0,"seconds":-1}', { name: 'a', exitCode: 0 }],
  ['{"rubinQuantum":"a"}', undefined],
  ['{"rubinQuantum":"a","exitCode":-2147483648}', { name: 'a', exitCode: -2_147_483_648 }],
  ['{"rubinQuantum":"a","exitCode":2147483648}', undefined],
  ['{"rubinQuantum":"a","exitCode":1e10}', undefined],
  ['{"rubinQuantum":1,"exitCode":0}', undefined],
  ['{"rubinQuantum":"a","exitCode":0', undefined],
  ['["rubinQuantum"]', undefined],
  ['processing visit 1', undefined],
])('reads a line of the output: %s', (line, report) => {
  expect(reportIn(line)).toEqual(report);
});

it('keeps a quantum done, and otherwise its latest report', () => {
  const reports = new Map<string, QuantumReport>();
  for (const exitCode of [3, 4]) addReport(reports, { name: 'a', exitCode });
  expect(reports.get('a')).toEqual({ exitCode: 4 });
  addReport(reports, { name: 'a', exitCode: 0, seconds: 2 });
  addReport(reports, { name: 'a', exitCode: 5 });
  expect(reports.get('a')).toEqual({ exitCode: 0, seconds: 2 });
});
