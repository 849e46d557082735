/** Connection of the commands that work on the databases themselves. */
import type { Deployment } from '@rhizome/deployment';
import type { Command } from 'commander';
import type { World } from '../../command.js';
import { type StoreFlags, storeUri } from '../../config.js';
import { CliError, type ExitCode, exitCodes } from '../../exit-codes.js';
import { collect } from '../../flags/flags.js';
import type { Output } from '../../output.js';

/** Flags of the commands that work on databases. */
export interface DatabaseFlags extends StoreFlags {
  readonly database: readonly string[];
}

/** Adds the flag that names the connection string. */
export function withStoreFile(command: Command): Command {
  return command.option(
    '--mongo-uri-file <file>',
    'file with the connection string of MongoDB; or set RHIZOME_MONGO_URI or RHIZOME_MONGO_URI_FILE',
  );
}

/** Adds the flags of commands that work on several databases. */
export function withStoreFlags(command: Command): Command {
  return withStoreFile(command).option(
    '--database <name>',
    'only this database; may be repeated (default: all of the deployment)',
    collect,
    [],
  );
}

/** Output of a command. */
export function outputOf(command: Command, { stdout, stderr }: World): Output {
  const { json } = command.optsWithGlobals<{ readonly json?: boolean }>();
  return { json: json === true, stream: stdout, errors: stderr };
}

/** Runs an action on the databases, then closes the connection. @throws CliError */
export async function withDeployment(
  flags: StoreFlags,
  cwd: string,
  action: (deployment: Deployment) => Promise<ExitCode>,
): Promise<ExitCode> {
  const uri = storeUri(flags, cwd);
  // Loaded here: the other commands start faster without the driver.
  const { DeploymentError, openDeployment } = await import('@rhizome/deployment');
  const deployment = await openDeployment(uri).catch((error: Error) => {
    throw new CliError(exitCodes.unavailable, error.message);
  });
  try {
    return await action(deployment);
  } catch (error) {
    if (error instanceof DeploymentError) throw new CliError(exitCodes.failed, error.message);
    throw error;
  } finally {
    await deployment.close();
  }
}
