export { canonicalJson, digestInTurns, digestOf, isDigestOf } from './digest.js';
