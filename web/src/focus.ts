// Where the keyboard is when a part of the page comes or goes: nobody starts again at the top because a panel closed.
import { type RefObject, useEffect, useLayoutEffect, useRef } from "react";

/**
 * Gives the focus back to what opened a drawer when the last drawer has closed, and to the place itself where the focused element
 * went away with the place before. `drawn`: whether a drawer lies over the page. `spot`: changes with every move.
 */
export function useFocusKept(place: RefObject<HTMLElement | null>, drawn: boolean, spot: string) {
  const opener = useRef<HTMLElement | null>(null);
  const was = useRef({ drawn, spot });
  // Before the dialog, which opens in an effect, takes the focus.
  useLayoutEffect(() => {
    if (drawn && !was.current.drawn) opener.current = document.activeElement instanceof HTMLElement ? document.activeElement : null;
  }, [drawn]);
  useEffect(() => {
    const before = was.current;
    was.current = { drawn, spot };
    if (drawn || before.spot === spot) return;
    const back = before.drawn ? opener.current : null;
    if (back?.isConnected && back !== document.body) return back.focus();
    if (document.activeElement === null || document.activeElement === document.body || !document.activeElement.isConnected) place.current?.focus({ preventScroll: true });
  }, [place, drawn, spot]);
}
