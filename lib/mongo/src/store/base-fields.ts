/**
 * Validators of the fields that mutable documents share, next to `schemaVersion`, which every collection has.
 */
export const baseFields = {
  /** Number of writes; grows by one with each. */
  revision: { bsonType: 'int', minimum: 1 },
  createdAt: { bsonType: 'date' },
  updatedAt: { bsonType: 'date' },
} as const;
