/** What the exit codes mean; stable, for scripts. */
export const exitCodes = {
  /** All went well. */
  ok: 0,
  /** A job or task ended otherwise than FINISHED, or some of what was asked was refused. */
  failed: 1,
  /** The command line, or a file it names, is wrong. */
  usage: 2,
  /** There is no such job, task or queue, or the caller may not see it. */
  notFound: 3,
  /** No token, or it is not valid, or it does not permit this. */
  denied: 4,
  /** The gateway cannot be reached, or is not able to answer now. */
  unavailable: 5,
  /** Ended by Ctrl-C, as a shell has it. */
  interrupted: 130,
} as const;

/** One of the exit codes. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends the command with a message and an exit code. */
export class CliError extends Error {
  constructor(
    readonly exitCode: ExitCode,
    message: string,
  ) {
    super(message);
    this.name = 'CliError';
  }
}
