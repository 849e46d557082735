import { defineCollection } from '@rhizome/mongo';
import { maxUnitsOfBlock } from './block.document.js';

/** Content of a unit: a text, or the location of its data. */
export interface UnitPayload {
  readonly payload?: string;
  readonly reference?: string;
}

/** Bytes of the payload or the reference of a unit. */
export function unitBytes({
  payload,
  reference,
}: {
  readonly payload?: string | null | undefined;
  readonly reference?: string | null | undefined;
}): number {
  return Buffer.byteLength(payload ?? reference ?? '');
}

/** Payloads of the units of a block. They never change, so that the changing block stays small. */
export interface UnitPayloadsDocument {
  /** The block. */
  readonly _id: string;
  readonly schemaVersion: number;
  readonly payloads: readonly UnitPayload[];
}

/** Payloads of all blocks. */
export const unitPayloadsCollection = defineCollection<UnitPayloadsDocument>({
  name: 'unitPayloads',
  schemaVersion: 1,
  validator: {
    required: ['payloads'],
    properties: { payloads: { bsonType: 'array', minItems: 1, maxItems: maxUnitsOfBlock } },
  },
});
