/** Number of newest checkpoints that are kept of a job that sets none. */
export const defaultKeptCheckpoints = 2;

/** Largest number of checkpoints that are kept of a job. */
export const mostKeptCheckpoints = 10;
