/** Children that the kernel kills when their parent dies. */
import { spawnSync } from 'node:child_process';

let prefix: readonly string[] | undefined;

/**
 * Command line that runs a program such that the kernel kills it when this process dies: with `setpriv`,
 * which becomes the program. Without `setpriv` the program runs alone, and outlives a parent that is killed.
 */
export function dyingWithParent(program: string): readonly string[] {
  prefix ??= isAvailable() ? ['setpriv', '--pdeathsig', 'KILL', '--'] : [];
  return [...prefix, program];
}

function isAvailable(): boolean {
  const { status } = spawnSync('setpriv', ['--pdeathsig', 'KILL', '--', 'true'], { stdio: 'ignore' });
  return status === 0;
}
