// The words of KQL that the server's compiler knows: its own document of them, which a test holds to the compiler's tables.
import document from "../../docs/kql-support.md?raw";
import { wordsOf } from "./kql_completion";

export const words = wordsOf(document);
