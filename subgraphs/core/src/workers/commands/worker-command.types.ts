/** A command to a worker. */
export interface WorkerCommand {
  readonly kind: 'KILL' | 'DROP' | 'PREEMPT' | 'ADOPT' | 'DRAIN' | 'WORK';
  readonly jobId?: string;
  readonly fence?: number;
  /** Fence that replaces `fence`; only for ADOPT. */
  readonly newFence?: number;
  readonly reason?: string;
}
