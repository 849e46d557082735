/** Labels of jobs, queues and workers. */

/** Key and value of a label. */
export interface StoredLabel {
  readonly key: string;
  readonly value: string;
}
