/** A token of an attempt. */
export interface AttemptToken {
  readonly token: string;
  readonly expiresInSeconds: number;
}
