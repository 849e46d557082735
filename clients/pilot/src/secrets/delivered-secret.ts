/** A secret as core delivers it. */
export interface DeliveredSecret {
  readonly id: string;
  readonly as: 'FILE' | 'VARIABLE';
  /** Name of the file or the variable. */
  readonly target: string;
  readonly value: string;
}
