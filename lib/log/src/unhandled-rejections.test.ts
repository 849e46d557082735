import { execFileSync } from 'node:child_process';
import { expect, it } from '@jest/globals';

const library = new URL('./index.js', import.meta.url).href;

/** Runs a program to its end; what it wrote. Throws when it did not end with 0. */
function run(program: string): string {
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
}

it('logs an unhandled rejection and keeps the server running', () => {
  const program = `
    import { createLogger, logUnhandledRejections } from ${JSON.stringify(library)};
    logUnhandledRejections(createLogger({ name: 'server' }));
    void Promise.reject(new Error('left behind'));
    setTimeout(() => process.stdout.write('still here'), 10);
  `;
  const output = run(program);
  expect(output).toContain('left behind');
  expect(output).toContain('still here');
});
