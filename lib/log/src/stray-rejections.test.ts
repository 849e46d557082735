import { execFileSync } from 'node:child_process';
import { expect, test } from '@jest/globals';

const library = new URL('./index.js', import.meta.url).href;

/** Runs a program to its end; what it wrote. Throws when it did not end with 0. */
function run(program: string): string {
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
}

test('a server goes on after a rejection that nobody waits for, and tells it', () => {
  const program = `
    import { createLogger, surviveStrayRejections } from ${JSON.stringify(library)};
    surviveStrayRejections(createLogger({ name: 'server' }));
    void Promise.reject(new Error('left behind'));
    setTimeout(() => process.stdout.write('still here'), 10);
  `;
  const told = run(program);
  expect(told).toContain('left behind');
  expect(told).toContain('still here');
});
