/** Condition of a query for what has no end, or has not ended. */
export const lasting = (now: Date) => ({ $or: [{ expiresAt: null }, { expiresAt: { $gt: now } }] });
