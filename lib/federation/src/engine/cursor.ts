import type { OperationInfo } from './types.js';

/** Reads the cursor of an event's data; undefined for operations that are not resumable. */
export function cursorReader({
  resumable,
}: OperationInfo): ((data: Readonly<Record<string, unknown>>) => string | undefined) | undefined {
  if (!resumable) return undefined;
  return (data) => {
    const payload = data[resumable.responseKey] as Record<string, unknown> | null | undefined;
    const cursor = payload?.[resumable.cursorKey];
    return typeof cursor === 'string' ? cursor : undefined;
  };
}
