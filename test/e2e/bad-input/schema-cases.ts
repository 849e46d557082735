/** Wrong inputs of the mutations with which schemas are published. */
import { type BadInput, casesOf, type Row } from './case.js';

const unknownField: Row = [
  'a field that there is not',
  'colour',
  'red',
  { code: 'BAD_USER_INPUT', names: 'colour' },
];
const noSubgraph: Row = [
  'a subgraph that there is not',
  'subgraph',
  'nowhere',
  { code: 'SUBGRAPH_NOT_FOUND' },
];
const unreadable: Row = ['a schema that does not parse', 'sdl', 'type {', { names: 'Syntax Error' }];
const longNote: Row = ['a note that is too long', 'note', 'x'.repeat(1001), { names: '1001 characters' }];

/** All of them. */
export const schemaCases: readonly BadInput[] = [
  ...casesOf('registerSubgraph', 'INVALID_VALUE', [
    ['a name with a blank', 'name', 'a b'],
    ['an endpoint that is no address', 'endpoint', 'nowhere'],
    ['a prefix in small letters', 'typePrefix', 'newcomer'],
    ["another one's prefix", 'typePrefix', 'Larkspur', { code: 'TYPE_PREFIX_TAKEN' }],
    unknownField,
  ]),
  ...casesOf('checkSchema', 'INVALID_VALUE', [noSubgraph, unreadable, unknownField]),
  ...casesOf('publishSchema', 'INVALID_VALUE', [noSubgraph, unreadable, longNote, unknownField]),
  ...casesOf('rollbackSchema', 'INVALID_VALUE', [
    noSubgraph,
    ['a version that there is not', 'version', 999, { code: 'VERSION_NOT_FOUND' }],
    longNote,
    unknownField,
  ]),
  ...casesOf('withdrawSubgraph', 'INVALID_VALUE', [noSubgraph, longNote, unknownField]),
];
