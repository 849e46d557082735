/**
 * Exit codes: 0 drained or stopped in order, 1 internal error, 2 core does not accept this worker, 64 invalid
 * configuration, 75 the payloads are left to another pilot, which a launcher starts.
 */
export const exitCodes = { ended: 0, fault: 1, refused: 2, usage: 64, handedOver: 75 } as const;
