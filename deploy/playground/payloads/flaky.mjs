#!/usr/bin/env node
// Fails with exit code 3 on the first attempt and succeeds on the next: shows attempts, real exit codes and
// logs.
//
//   flaky.mjs [--fail-attempts 1]
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { failFirstAttempts } from './lib/flakiness.mjs';
import { fail, numberOption, workplace } from './lib/workplace.mjs';

let values;
try {
  ({ values } = parseArgs({ options: { 'fail-attempts': { type: 'string' } } }));
} catch (error) {
  fail(error.message);
}
const count = numberOption('fail-attempts', values['fail-attempts'], {
  fallback: 1,
  minimum: 0,
  maximum: 100,
  integer: true,
});
const { attempt, jobId, outputs } = workplace();
console.log(`job ${jobId}, attempt ${attempt}`);
failFirstAttempts(count, attempt);
writeFileSync(join(outputs, 'flaky.json'), `${JSON.stringify({ jobId, attempt })}\n`);
console.log(`attempt ${attempt} succeeded`);
