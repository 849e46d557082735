/**
 * Retention of ended entities, in seconds; the store deletes them some minutes later. Jobs, tasks, their logs
 * and outputs are kept without limit.
 */
export const retention = {
  /** Answer to a submit; kept as long as its key is valid. */
  submission: 30 * 86_400,
  /** Bulk change, with its key, after its end. */
  bulkOperation: 30 * 86_400,
  /** Worker after its end; attempts show it until then. */
  endedWorker: 30 * 86_400,
  /** Pilot of an executor after its end. */
  endedPilot: 30 * 86_400,
  /** Counts of failures by hour, after the hour. */
  failureHours: 30 * 86_400,
  /** Record of the attempts of a requirement class, after the last one. */
  classRecord: 30 * 86_400,
  /** Requirement class of tests of a host, after the latest test; a canary job waits for a day at most. */
  hostTestClass: 30 * 86_400,
  /** Downtime after its end. */
  downtime: 30 * 86_400,
  /** Part of a workflow; a workflow is sealed, or cancelled, within 7 days. */
  workflowPart: 8 * 86_400,
  /** Node that a payload of a workflow adds; it is stored apart until the attempt ends. */
  addedNode: 90 * 86_400,
  /** Decision about a fleet. */
  fleetDecision: 30 * 86_400,
  /** Key of a published work unit. */
  unitKey: 7 * 86_400,
  /** Report of a gateway, after its last one. */
  gatewayReport: 3600,
} as const;
