<?xml version="1.0" encoding="UTF-8"?>
<!-- The text of an OpenDocument file with the tags of HTML; without deleted text, comments and notes. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
  xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
  xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"
  xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
  xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
  xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0"
  xmlns:xlink="http://www.w3.org/1999/xlink" exclude-result-prefixes="office style table text fo xlink">
  <xsl:output method="html" encoding="UTF-8"/>
  <xsl:key name="style" match="style:style" use="@style:name"/>
  <xsl:key name="list" match="text:list-style" use="@text:style-name | @style:name"/>
  <xsl:template match="/"><body><xsl:apply-templates select="//office:body"/></body></xsl:template>
  <xsl:template match="text:tracked-changes | office:annotation | text:note | office:forms"/>
  <xsl:template match="text:p[@text:style-name = 'Title']
    | text:p[key('style', @text:style-name)/@style:parent-style-name = 'Title']">
    <h1><xsl:apply-templates/></h1>
  </xsl:template>
  <xsl:template match="text:p"><p><xsl:apply-templates/></p></xsl:template>
  <xsl:template match="text:h"><h3><xsl:apply-templates/></h3></xsl:template>
  <xsl:template match="text:h[@text:outline-level = 1]"><h2><xsl:apply-templates/></h2></xsl:template>
  <xsl:template match="text:list"><ul><xsl:apply-templates/></ul></xsl:template>
  <xsl:template match="text:list[key('list', @text:style-name)/*[1][self::text:list-level-style-number]]">
    <ol><xsl:apply-templates/></ol>
  </xsl:template>
  <xsl:template match="text:list-item"><li><xsl:apply-templates/></li></xsl:template>
  <xsl:template match="table:table"><table><xsl:apply-templates/></table></xsl:template>
  <xsl:template match="table:table-row"><tr><xsl:apply-templates/></tr></xsl:template>
  <xsl:template match="table:table-cell"><td><xsl:apply-templates/></td></xsl:template>
  <xsl:template match="text:a"><a href="{@xlink:href}"><xsl:apply-templates/></a></xsl:template>
  <xsl:template match="text:span[key('style', @text:style-name)/*/@fo:font-weight = 'bold']">
    <b><xsl:apply-templates/></b>
  </xsl:template>
  <xsl:template match="text:span[key('style', @text:style-name)/*/@fo:font-style = 'italic']">
    <i><xsl:apply-templates/></i>
  </xsl:template>
  <xsl:template match="text:s | text:tab"><xsl:text> </xsl:text></xsl:template>
  <xsl:template match="text:line-break"><br/></xsl:template>
</xsl:stylesheet>
