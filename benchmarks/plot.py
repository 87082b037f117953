"""Plots as PNG without a library: lines, boxes and a stroke font of capitals on white. For the pages of docs/."""

import struct
import zlib

BLACK, GREY, LIGHT, WHITE = (40, 44, 52), (110, 116, 128), (228, 231, 236), (255, 255, 255)
BLUE, ORANGE = (38, 98, 178), (214, 118, 32)

# Polylines of points on a grid of 5 by 7, x then y from the top left; a blank lifts the pen.
STROKES = {
    "A": "0602204246 0444", "B": "00063645343303 3342413000", "C": "4130100105163645", "D": "00062645412000", "E": "40000646 0333",
    "F": "400006 0333", "G": "413010010516364543 4323", "H": "0006 4046 0343", "I": "1030 2026 1636", "J": "30352616 1605",
    "K": "0006 400346", "L": "000646", "M": "0600234046", "N": "06004640", "O": "1030414536160501 0110", "P": "0600304142333303",
    "Q": "1030414536160501 0110 2446", "R": "060030414233 3303 2346", "S": "4130100102133344453616 1605", "T": "0040 2026",
    "U": "000516364540", "V": "002640", "W": "0016233640", "X": "0046 4006", "Y": "002340 2326", "Z": "00400646",
    "0": "1030414536160501 0110", "1": "112026 1636", "2": "01103041420646", "3": "004022333445361605", "4": "3036 300444",
    "5": "400003334445361605", "6": "301001051636454433 3303", "7": "004016", "8": "103041423313020110 1304051636454433",
    "9": "43130201103041453616", ".": "2526", "-": "1333", "%": "4006 0111 3545", "/": "4006", ",": "2516",
}


class Canvas:
    def __init__(self, width, height):
        self.width, self.height = width, height
        self.pixels = bytearray(bytes(WHITE) * (width * height))

    def dot(self, x, y, colour):
        if 0 <= x < self.width and 0 <= y < self.height:
            at = 3 * (y * self.width + x)
            self.pixels[at:at + 3] = bytes(colour)

    def box(self, x0, y0, x1, y1, colour):
        for y in range(int(min(y0, y1)), int(max(y0, y1))):
            for x in range(int(min(x0, x1)), int(max(x0, x1))):
                self.dot(x, y, colour)

    def line(self, x0, y0, x1, y1, colour, width=1):
        steps = max(1, int(max(abs(x1 - x0), abs(y1 - y0))))
        for i in range(steps + 1):
            x, y = round(x0 + (x1 - x0) * i / steps), round(y0 + (y1 - y0) * i / steps)
            for dx in range(width):
                for dy in range(width):
                    self.dot(x + dx, y + dy, colour)

    def text(self, x, y, text, colour=BLACK, size=2, align="left"):
        step = 6 * size
        x -= {"left": 0, "middle": step * len(text) // 2, "right": step * len(text)}[align]
        for glyph in text.upper():
            for stroke in STROKES.get(glyph, "").split():
                points = [(x + int(stroke[i]) * size, y + int(stroke[i + 1]) * size) for i in range(0, len(stroke) - 1, 2)]
                for (x0, y0), (x1, y1) in zip(points, points[1:]):
                    self.line(x0, y0, x1, y1, colour, max(1, size - 1))
            x += step

    def save(self, path):
        def chunk(kind, body):
            return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        rows = b"".join(b"\0" + self.pixels[3 * y * self.width:3 * (y + 1) * self.width] for y in range(self.height))
        with open(path, "wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)) +
                       chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))
