/** Flags of other requirements, and of another program, for what is run again. */
import type { Command } from 'commander';
import type { RetryChangesInput } from '../operations.generated.js';
import { collect, collectPairs, type Pair } from './flags.js';
import {
  type RequirementChangeFlags,
  requirementChangesOf,
  withRequirementChanges,
} from './requirement-change-flags.js';

/** Values of the flags. */
export interface ChangeFlags extends RequirementChangeFlags {
  readonly image?: string;
  readonly command?: string;
  readonly argument: readonly string[];
  readonly env: readonly Pair[];
  readonly unsetEnv: readonly string[];
}

/** Adds the flags. */
export function withChanges(command: Command): Command {
  return withRequirementChanges(command)
    .option('--image <image>', 'other container image')
    .option('--command <program>', 'other program')
    .option('--argument <text>', 'argument instead of the previous ones; may be repeated', collect, [])
    .option('--env <name=value>', 'environment variable to set; may be repeated', collectPairs, [])
    .option('--unset-env <name>', 'environment variable to remove; may be repeated', collect, []);
}

/** Changes that the flags ask for; undefined without any. */
export function changesOf(flags: ChangeFlags): RetryChangesInput | undefined {
  const { image, command, argument, env, unsetEnv } = flags;
  const environment = [
    ...env.map(({ key: name, value }) => ({ name, value })),
    ...unsetEnv.map((name) => ({ name, value: null })),
  ];
  const requirements = requirementChangesOf(flags);
  const payload = {
    ...(command !== undefined && { command }),
    ...(argument.length > 0 && { arguments: [...argument] }),
    ...(image !== undefined && { image }),
    ...(environment.length > 0 && { environment }),
  };
  const changes = {
    ...(requirements && { requirements }),
    ...(Object.keys(payload).length > 0 && { payload }),
  };
  return Object.keys(changes).length > 0 ? changes : undefined;
}
