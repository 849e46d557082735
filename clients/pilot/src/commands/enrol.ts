import { isDomainError } from '@rhizome/errors';
import { enrolCommand } from '../credential/enrol-command.js';
import { EnrolmentRefused } from '../credential/enrolment-client.js';
import { exitCodes } from './exit-codes.js';

/** Runs the command that enrols this host. */
export async function enrol(args: readonly string[], env: NodeJS.ProcessEnv): Promise<never> {
  try {
    const write = (line: string): void => void process.stdout.write(`${line}\n`);
    await enrolCommand([...args], write, env);
    process.exit(exitCodes.ended);
  } catch (error) {
    console.error(`rhizome-pilot: ${error instanceof Error ? error.message : String(error)}`);
    if (error instanceof EnrolmentRefused) process.exit(exitCodes.refused);
    process.exit(isDomainError(error) ? exitCodes.usage : exitCodes.fault);
  }
}
