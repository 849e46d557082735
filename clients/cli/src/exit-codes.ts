/** Exit codes; stable, for scripts. */
export const exitCodes = {
  /** Success. */
  ok: 0,
  /** A job or task did not end as FINISHED, or part of the request was refused. */
  failed: 1,
  /** The command line, or a file it names, is invalid. */
  usage: 2,
  /** The job, task or queue does not exist, or the caller may not see it. */
  notFound: 3,
  /** The token is missing or not valid, or does not permit the operation. */
  denied: 4,
  /** The gateway cannot be reached, or cannot answer now. */
  unavailable: 5,
  /** Ended by Ctrl-C; 128 + SIGINT, as in shells. */
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
