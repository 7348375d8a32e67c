"""Country names: the English names that public files use, as ISO codes of three letters.

Rule: a name is looked up whole, then split at commas; without regard to case, accents of the
keyboard or a trailing "(the)". What is not here is no country, and whoever asks names it.
Invariant: every code is one that a market knows (core.countries), every name has one code.
Worked number: "Korea (Republic of)" and "South Korea" are KOR; "China,China" is CHN once.
"""

from __future__ import annotations

from allmende.core.countries import CODES

NOBODY = "multinational"
"""What Epoch calls a group of no one country."""
TABLE = """
AFG Afghanistan; AGO Angola; ALB Albania; ARE United Arab Emirates|UAE; ARG Argentina; ARM Armenia;
AUS Australia; AUT Austria; AZE Azerbaijan; BDI Burundi; BEL Belgium; BEN Benin; BFA Burkina Faso;
BGD Bangladesh; BGR Bulgaria; BHR Bahrain; BHS Bahamas; BIH Bosnia and Herzegovina; BLR Belarus;
BLZ Belize; BOL Bolivia|Bolivia (Plurinational State of); BRA Brazil; BRB Barbados;
BRN Brunei|Brunei Darussalam; BTN Bhutan; BWA Botswana; CAF Central African Republic; CAN Canada;
CHE Switzerland; CHL Chile; CHN China|People's Republic of China; CIV Ivory Coast|Côte d'Ivoire;
CMR Cameroon; COD Congo (Democratic Republic of the)|Democratic Republic of the Congo;
COG Congo|Republic of the Congo; COL Colombia; COM Comoros; CPV Cabo Verde|Cape Verde;
CRI Costa Rica; CUB Cuba; CYP Cyprus; CZE Czechia|Czech Republic; DEU Germany; DJI Djibouti;
DMA Dominica; DNK Denmark; DOM Dominican Republic; DZA Algeria; ECU Ecuador; EGY Egypt; ERI Eritrea;
ESP Spain; EST Estonia; ETH Ethiopia; FIN Finland; FJI Fiji; FRA France; GAB Gabon;
GBR United Kingdom of Great Britain and Northern Ireland|United Kingdom|UK|Great Britain;
GEO Georgia; GHA Ghana; GIN Guinea; GMB Gambia; GNB Guinea-Bissau; GNQ Equatorial Guinea;
GRC Greece; GRD Grenada; GRL Greenland; GTM Guatemala; GUY Guyana; HKG Hong Kong; HND Honduras;
HRV Croatia; HTI Haiti; HUN Hungary; IDN Indonesia; IND India; IRL Ireland;
IRN Iran|Iran (Islamic Republic of); IRQ Iraq; ISL Iceland; ISR Israel; ITA Italy; JAM Jamaica;
JOR Jordan; JPN Japan; KAZ Kazakhstan; KEN Kenya; KGZ Kyrgyzstan; KHM Cambodia;
KOR Korea (Republic of)|South Korea|Republic of Korea|Korea; KWT Kuwait;
LAO Laos|Lao People's Democratic Republic; LBN Lebanon; LBR Liberia; LBY Libya; LIE Liechtenstein;
LKA Sri Lanka; LSO Lesotho; LTU Lithuania; LUX Luxembourg; LVA Latvia; MAC Macao|Macau; MAR Morocco;
MCO Monaco; MDA Moldova|Moldova (Republic of); MDG Madagascar; MDV Maldives; MEX Mexico;
MKD North Macedonia; MLI Mali; MLT Malta; MMR Myanmar; MNE Montenegro; MNG Mongolia; MOZ Mozambique;
MRT Mauritania; MUS Mauritius; MWI Malawi; MYS Malaysia; NAM Namibia; NER Niger; NGA Nigeria;
NIC Nicaragua; NLD Netherlands; NOR Norway; NPL Nepal; NZL New Zealand; OMN Oman; PAK Pakistan;
PAN Panama; PER Peru; PHL Philippines; PNG Papua New Guinea; POL Poland; PRI Puerto Rico;
PRK North Korea|Korea (Democratic People's Republic of); PRT Portugal; PRY Paraguay;
PSE Palestine|Palestine (State of); QAT Qatar; ROU Romania; RUS Russia|Russian Federation;
RWA Rwanda; SAU Saudi Arabia; SDN Sudan; SEN Senegal; SGP Singapore; SLE Sierra Leone;
SLV El Salvador; SMR San Marino; SOM Somalia; SRB Serbia; SSD South Sudan; SUR Suriname;
SVK Slovakia; SVN Slovenia; SWE Sweden; SWZ Eswatini; SYC Seychelles; SYR Syria; TCD Chad; TGO Togo;
THA Thailand; TJK Tajikistan; TKM Turkmenistan; TLS Timor-Leste; TTO Trinidad and Tobago;
TUN Tunisia; TUR Turkey|Türkiye; TWN Taiwan|Taiwan (Province of China);
TZA Tanzania|Tanzania (United Republic of); UGA Uganda; UKR Ukraine; URY Uruguay;
USA United States of America|United States|USA|US; UZB Uzbekistan; VAT Vatican|Holy See;
VEN Venezuela|Venezuela (Bolivarian Republic of); VNM Vietnam|Viet Nam; XKX Kosovo; YEM Yemen;
ZAF South Africa; ZMB Zambia; ZWE Zimbabwe
"""


def codes(cell: str) -> tuple[str | None, ...]:
    """The countries that a cell names, each once, None for a multinational group.

    Raises KeyError with the name that is no country.
    """
    if not cell.strip():
        return ()
    whole = _code(cell)
    if whole:
        return (whole,)
    return tuple(dict.fromkeys(_one(name) for name in cell.split(",")))


def _one(name: str) -> str | None:
    if name.strip().lower() == NOBODY:
        return None
    found = _code(name)
    if found is None:
        raise KeyError(name.strip())
    return found


def _code(name: str) -> str | None:
    plain = _plain(name)
    return NAMES.get(plain) or (plain.upper() if plain.upper() in CODES else None)


def _plain(name: str) -> str:
    return name.strip().lower().removesuffix("(the)").strip()


def _names() -> dict[str, str]:
    rows = (row.strip() for row in TABLE.replace("\n", " ").split(";"))
    return {_plain(name): row[:3] for row in rows for name in row[4:].split("|")}


NAMES = _names()
