import type { PreemptedFor } from './job.types.js';

/** `preempted for job job_1 of priority 100`. */
export function preemptedFor({ jobId, priority }: PreemptedFor): string {
  return `preempted for job ${jobId} of priority ${priority}`;
}
