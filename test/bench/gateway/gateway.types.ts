/** A gateway under measurement. */

/** A running gateway. */
export interface RunningGateway {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}
