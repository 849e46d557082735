export { canonicalJson, digestInTurns, digestOf, digestOfText, isDigestOf } from './digest.js';
