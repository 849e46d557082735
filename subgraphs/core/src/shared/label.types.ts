/** Labels of jobs, queues and workers. */

/** A key and its value. */
export interface StoredLabel {
  readonly key: string;
  readonly value: string;
}
