/** Name of the spool of a pilot: `spool-PID-START`. */
export const spoolPrefix = 'spool';
/** File that says whose folder it is. */
export const ownerFile = 'owner.json';
