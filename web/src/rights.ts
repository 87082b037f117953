// Who looks at the page, and what that person may: docs/api.md has the roles. The server decides; the page only does not offer what it would refuse.
import { createContext, useContext } from "react";
import type { Role, Who } from "./model";
import { roles } from "./model";

/** Null until the server has said who it is: then nothing is offered that needs a role. */
export const WhoContext = createContext<Who | null>(null);

export interface May {
  yes: boolean;
  why: string; // the reason against it; "" for yes
}

export function mayAs(who: Who | null, least: Role): May {
  if (who === null) return { yes: false, why: "Reading what you may do here…" };
  const yes = roles.indexOf(who.role) >= roles.indexOf(least);
  return { yes, why: yes ? "" : `This needs the role ${least}; ${who.name} is signed in as ${who.role}.` };
}

export const useMay = (least: Role): May => mayAs(useContext(WhoContext), least);
