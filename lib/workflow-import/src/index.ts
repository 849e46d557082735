export type { ReadFile } from './files.types.js';
export { detectFormat, importWorkflow, type ImportResult } from './import-workflow.js';
export type { ImportFormat, ImportRequest } from './import.types.js';
export type { ImportedWorkflow } from './workflow.types.js';
